"""Puts a Python callable under test, whatever framework it is built on."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import BaseModel, JsonValue

from harness.errors import HarnessError
from harness.records.mock import Mocks
from harness.registry import Subject
from harness.subjects.task import Task, World

__all__ = ["answer_turn", "make_world", "plain_state"]


def make_world(
    subject: Subject, state: Mapping[str, JsonValue], mocks: Mapping[str, Mocks] = MappingProxyType({})
) -> World:
    """A fresh world with the subject's tools bound to it, some of them mocked.

    Raises :class:`RegistryError` for a function that is no tool.
    """
    return World(state, subject.tools, replace=subject.replace, mocks=mocks, tool_error=subject.tool_error)


async def answer_turn(subject: Subject, task: Task) -> JsonValue:
    """Have the subject answer one user turn: text, or structured data.

    A synchronous callable runs in a worker thread, in the caller's context, so that a blocking client works and its
    traffic is routed as any other. What the subject raises is passed on. Raises :class:`HarnessError` for an answer
    that is none, or for a world in which the tools left something that is no JSON data.
    """
    if inspect.iscoroutinefunction(subject.function):
        answer = await subject.function(task)
    else:
        answer = await asyncio.to_thread(_call, subject, task)
        if inspect.isawaitable(answer):  # a lambda or an object around a coroutine function shows it only now
            answer = await answer
    if answer is None:
        raise HarnessError(f"subject {subject.name!r} returned None; return the answer: text, a model or JSON data")
    if isinstance(answer, BaseModel):
        answer = answer.model_dump(mode="json", by_alias=True)
    if fault := next(_faults(answer, "the answer"), None):
        raise HarnessError(f"subject {subject.name!r} returned no text, model or JSON data: {fault}")
    if fault := next(_faults(task.world.state, "state"), None):
        raise HarnessError(f"the tools of subject {subject.name!r} must keep plain JSON data in the world: {fault}")
    return answer  # type: ignore[no-any-return]


def _call(subject: Subject, task: Task) -> object:
    try:
        return subject.function(task)
    except StopIteration as error:  # no future can hold one: whoever waits for it would wait for ever
        raise RuntimeError("the agent raised StopIteration").with_traceback(error.__traceback__) from error


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
