"""Lets threads and pools work for the trial that gave them the work, as if they had its context.

A thread begins with an empty ``contextvars`` context (by default; before Python 3.14 always), so it would belong to no
trial. Only what is ours is handed on: what else an agent keeps in its context is lost in its threads here as it is in
production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["IN_THREAD", "hand_on_at_start", "hand_on_at_submit", "handed_on"]

IN_THREAD: ContextVar[bool | None] = ContextVar("harness_in_thread", default=None)
"""Whether the running code is a trial's only because that started the thread, which may now do another trial's work."""
_VARIABLES: list[ContextVar[Any]] = []


def handed_on(variable: ContextVar[Any]) -> ContextVar[Any]:
    """The same variable, which from now on has in a thread the value that it had where the thread's work comes from."""
    _VARIABLES.append(variable)
    return variable


def hand_on_at_start(real: Any) -> Any:
    """What to put in the place of ``Thread.start``: the thread is the trial's, timers and workers among them."""

    def start(thread: Any) -> None:
        values = _here()
        if values and not _runs_a_pool(thread):
            thread.run = _bind({**values, IN_THREAD: True}, thread.run)
        real(thread)

    return start


def hand_on_at_submit(real: Any) -> Any:
    """What to put in the place of ``ThreadPoolExecutor.submit``, which an event loop's executor goes through as well.

    A pool is often older than the trial and serves several: its threads belong to nobody, each piece of work to the
    trial that it comes from.
    """

    def submit(pool: Any, work: Any, /, *args: Any, **options: Any) -> Any:
        values = _here()
        if not values or _runs_elsewhere(pool):
            return real(pool, work, *args, **options)
        with _having(dict.fromkeys(values)):  # a thread that the pool starts for this
            return real(pool, _bind(values, work), *args, **options)

    return submit


def _runs_a_pool(thread: Any) -> bool:
    """Whether it does no work of the trial's, but looks after those that do: it polls, and needs the wall's clock."""
    target: Any = getattr(thread, "_target", None)
    return getattr(target, "__module__", None) == "multiprocessing.pool" and target.__name__ != "worker"


def _runs_elsewhere(pool: Any) -> bool:
    """Whether its work is sent to interpreters of their own, where nothing of ours is: from Python 3.14 on."""
    return any(kind.__name__ == "InterpreterPoolExecutor" for kind in type(pool).__mro__)


def _here() -> dict[ContextVar[Any], Any]:
    return {each: value for each in (IN_THREAD, *_VARIABLES) if (value := each.get(None)) is not None}


def _bind(values: dict[ContextVar[Any], Any], work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **options: Any) -> Any:
        with _having(values):
            return work(*args, **options)

    return run


@contextmanager
def _having(values: dict[ContextVar[Any], Any]) -> Iterator[None]:
    tokens = [(each, each.set(value)) for each, value in values.items()]
    try:
        yield
    finally:
        for each, token in tokens:
            each.reset(token)
