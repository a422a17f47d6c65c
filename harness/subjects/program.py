"""Puts a command line program under test: one process for each user turn."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from harness.errors import SubjectError
from harness.registry import Command
from harness.settings import Project
from harness.subjects.children import Child, in_thread
from harness.subjects.surroundings import Surroundings
from harness.subjects.task import Task

__all__ = ["Program", "begin"]

_INPUT = "{input}"


def begin(command: Command, project: Project) -> Program:
    """A trial of the program, which is not started before its first turn."""
    return Program(command, project)


class Program:
    """One trial of a program. It ends with its turn, and whatever it has started with it."""

    inexact = ("a program of its own, which lives in wall time",)

    def __init__(self, command: Command, project: Project) -> None:
        self._command = command
        self._project = project
        self._surroundings: Surroundings | None = None
        self._turn = 0

    async def answer(self, task: Task) -> Any:
        """What it prints. Raises :class:`SubjectError` where it fails or prints nothing."""
        if self._surroundings is None:
            self._surroundings = Surroundings(task, self._command.base_urls, self._project.allowed_hosts)
        self._turn += 1
        argv = self._command.argv
        child = Child(
            [part.replace(_INPUT, task.input) for part in argv],
            folder=self._project.root,
            environ=self._surroundings.environ(self._turn),
            stdin=b"" if any(_INPUT in part for part in argv) else task.input.encode(),
            place=self._command.place,
        )
        try:
            await in_thread(child.ended.wait)
            return self._conclude(child, self._surroundings)
        finally:
            child.kill()

    async def close(self) -> None:
        """Leave nothing behind."""
        if self._surroundings is not None:
            await in_thread(self._surroundings.close)

    def _conclude(self, child: Child, surroundings: Surroundings) -> Any:
        fail = partial(surroundings.failure, child=child)
        if child.is_flooding:
            raise SubjectError("the program printed more than 16 MiB on stdout, which is no answer, and was killed")
        if child.failed:
            raise fail(f"the program {child.describe_end()}")
        surroundings.read_world()
        try:
            text = child.stdout.decode()
        except UnicodeDecodeError as error:
            raise SubjectError(f"stdout is not UTF-8: {error}; print the answer in UTF-8") from error
        text = text.rstrip("\r\n")
        if not text:
            raise fail("the program printed nothing on stdout, where its answer belongs")
        try:
            return json.loads(text) if self._command.json else text
        except (ValueError, RecursionError) as error:
            raise SubjectError(f"stdout is no JSON: {error}: {text[:200]!r}") from error
