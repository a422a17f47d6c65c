"""One trial's conversation with a subject, whatever kind of agent that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel, JsonValue

from harness.errors import HarnessError
from harness.records.mock import Mocks
from harness.registry import Command, Endpoint, Subject
from harness.settings import Project
from harness.subjects.python import Function, Instance
from harness.subjects.task import Task, World

__all__ = ["Conversation", "answer_turn", "begin", "make_world", "plain_state"]


class Conversation(Protocol):
    """Answers the user turns of one trial, one after the other."""

    inexact: tuple[str, ...]
    """Why the times of such a trial are not exact; empty where they are."""

    async def answer(self, task: Task) -> Any:
        """The answer to ``task.input``, as the agent gave it. What the agent raises is passed on."""
        ...

    async def close(self) -> None:
        """The trial has ended, whatever came of it: leave nothing running."""
        ...


def begin(subject: Subject, project: Project) -> Conversation:
    """A conversation with the subject; nothing is started before its first turn."""
    agent = subject.agent
    if isinstance(agent, Command | Endpoint):  # their modules are imported only where there is such a subject
        kind: Any = import_module(f"harness.subjects.{'program' if isinstance(agent, Command) else 'server'}")
        conversation: Conversation = kind.begin(agent, project)
        return conversation
    return Instance(agent) if isinstance(agent, type) else Function(agent)


def make_world(
    subject: Subject, state: Mapping[str, JsonValue], mocks: Mapping[str, Mocks] = MappingProxyType({})
) -> World:
    """A fresh world with the subject's tools bound to it, some of them mocked.

    Raises :class:`RegistryError` for a function that is no tool.
    """
    return World(state, subject.tools, replace=subject.replace, mocks=mocks, tool_error=subject.tool_error)


async def answer_turn(conversation: Conversation, name: str, task: Task) -> JsonValue:
    """Have the subject of that name answer one user turn: text, or structured data.

    What it raises is passed on. Raises :class:`HarnessError` for an answer that is none, or for a world in which the
    tools left something that is no JSON data.
    """
    answer = await conversation.answer(task)
    if answer is None:
        raise HarnessError(f"subject {name!r} returned None; return the answer: text, a model or JSON data")
    if isinstance(answer, BaseModel):
        answer = answer.model_dump(mode="json", by_alias=True)
    if fault := next(_faults(answer, "the answer"), None):
        raise HarnessError(f"subject {name!r} returned no text, model or JSON data: {fault}")
    if fault := next(_faults(task.world.state, "state"), None):
        raise HarnessError(f"the tools of subject {name!r} must keep plain JSON data in the world: {fault}")
    return answer  # type: ignore[no-any-return]


def plain_state(world: World) -> JsonValue:
    """The world's state as it can be written down; None where a tool left something in it that is no JSON data."""
    return None if any(_faults(world.state, "state")) else world.state


def _faults(value: object, place: str) -> Iterator[str]:
    """Where a value is something that JSON can't hold."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str) and _is_text(key):
                yield from _faults(item, f"{place}.{key}")
            else:
                yield f"{place} has the key {key!r}; make it text"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, f"{place}.{number}")
    elif isinstance(value, str) and not _is_text(value):
        yield f"{place} holds half a character: {value[:60]!r}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place} is {value!r}, which JSON has no word for"
    elif value is not None and not isinstance(value, (str, int, float)):
        yield f"{place} is of type {type(value).__name__}"


def _is_text(value: str) -> bool:
    """Whether a file can hold it: a lone surrogate is in no encoding."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
