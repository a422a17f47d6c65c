"""Puts Python under test: a callable, or a class with a conversation, whatever framework they are built on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from harness.subjects.task import Task

__all__ = ["Function", "Instance"]


class Function:
    """A callable that takes the task of each turn."""

    inexact: tuple[str, ...] = ()

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    async def answer(self, task: Task) -> Any:
        """What the callable returns."""
        return await _call(self._function, task)

    async def close(self) -> None:
        """There is nothing to end."""


class Instance:
    """A class of which each trial has one instance, made with the task when the first turn comes."""

    inexact: tuple[str, ...] = ()

    def __init__(self, kind: type) -> None:
        self._kind: Any = kind
        self._made: Any = None

    async def answer(self, task: Task) -> Any:
        """What its method ``answer`` returns."""
        if self._made is None and inspect.iscoroutinefunction(self._kind.answer):
            self._made = self._kind(task)
        elif self._made is None:  # a blocking agent may ask its provider as soon as it is made
            self._made = await asyncio.to_thread(_make, self._kind, task)
        return await _call(self._made.answer, task)

    async def close(self) -> None:
        """Call its ``close``, where it was made and has one."""
        close = getattr(self._made, "close", None)
        if close is not None:
            await _call(close)


async def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call it: a synchronous one in a worker thread, in the caller's context.

    So a blocking client works, and its traffic is routed as any other.
    """
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    answer = await asyncio.to_thread(_make, function, *arguments)
    if inspect.isawaitable(answer):  # a lambda or an object around a coroutine function shows it only now
        answer = await answer
    return answer


def _make(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except StopIteration as error:  # no future can hold one: whoever waits for it would wait for ever
        raise RuntimeError("the agent raised StopIteration").with_traceback(error.__traceback__) from error
