"""What a subject is given: the user's words, its settings, and the world that its tools act on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from harness.agent.tools import Tool, make_tool
from harness.errors import HarnessError, RegistryError
from harness.records.base import JsonObject
from harness.seams import Seams
from harness.subjects.texts import read_text

__all__ = ["Task", "World", "acting_on", "current_world"]


class World:
    """The state that a trial's tools read and change, and the tools bound to it.

    It starts as a copy of the scenario's ``world``; what it is at the end is what ``state`` expectations see.
    """

    def __init__(self, state: Mapping[str, JsonValue], functions: Iterable[Callable[..., Any]] = ()) -> None:
        self.state: dict[str, Any] = copy.deepcopy(dict(state))
        """Plain JSON data; tools change it in place."""
        self.tools: tuple[Tool, ...] = tuple(make_tool(function, inject={World: self}) for function in functions)
        """The subject's tools, bound to this world."""
        self.functions: Mapping[str, Callable[..., Any]] = {tool.name: tool.function for tool in self.tools}
        """The same as plain typed functions by their names, for frameworks that make tools of such."""
        if len(self.functions) < len(self.tools):
            names = [tool.name for tool in self.tools]
            twice = next(name for name in names if names.count(name) > 1)
            raise RegistryError(f"two tools are named {twice!r}; rename one")


_CURRENT: ContextVar[World | None] = ContextVar("harness_world", default=None)


def current_world() -> World:
    """The world of the trial that the running code belongs to, in its tasks and in threads that got its context.

    Raises :class:`HarnessError` where the code belongs to none.
    """
    world = _CURRENT.get()
    if world is None:
        raise HarnessError(
            "harness.current_world() was called outside a trial; if an agent's own thread called it, start that with "
            "asyncio.to_thread, or run its work in contextvars.copy_context()"
        )
    return world


@contextmanager
def acting_on(world: World) -> Iterator[None]:
    """Make this the current world of this context, and of all contexts copied from it."""
    token = _CURRENT.set(world)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@dataclass(slots=True)
class Task:
    """One user turn, put to a subject. The same object serves all turns of a trial."""

    input: str
    """What the user says in this turn."""
    settings: JsonObject
    """The scenario's ``settings``."""
    world: World
    folder: Path
    """The scenario file's folder."""
    prompt_root: Path
    """The scenarios folder: prompts are looked for from ``folder`` up to here."""
    seams: Seams
    """Clock, randomness and run id of this trial."""
    memory: dict[str, Any] = field(default_factory=dict)
    """Empty when the trial begins, kept from turn to turn: a place for the agent's own state."""

    @property
    def run_id(self) -> str:
        """Names this trial; put it in every log line."""
        return self.seams.run_id

    def prompt(self, name: str) -> str:
        """The text of ``prompts/NAME.md`` beside the scenario, or above it up to the scenarios folder.

        Raises :class:`BadInputError` where there is none, or the name could lead elsewhere.
        """
        return read_text("prompts", name, folder=self.folder, root=self.prompt_root)
