"""What a subject is given: the user's words, its settings, and the world that its tools act on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from harness.agent.tools import Tool, make_tool
from harness.errors import HarnessError, RegistryError, ToolError
from harness.records.base import JsonObject
from harness.records.mock import Mocks
from harness.seams import Seams
from harness.subjects.mocking import mock_function
from harness.subjects.texts import read_text

__all__ = ["Task", "World", "acting_on", "current_world"]


class World:
    """The state that a trial's tools read and change, and the tools bound to it.

    It starts as a copy of the scenario's ``world``; what it is at the end is what ``state`` expectations see.
    """

    def __init__(
        self,
        state: Mapping[str, JsonValue],
        functions: Iterable[Callable[..., Any]] = (),
        *,
        mocks: Mapping[str, Mocks] = MappingProxyType({}),
        tool_error: Callable[[str], Exception] = ToolError,
    ) -> None:
        self.state: dict[str, Any] = copy.deepcopy(dict(state))
        """Plain JSON data; tools change it in place."""
        self.mocked: list[tuple[str, JsonObject]] = []
        """The calls that were answered by a mock: the tool's name and its arguments, in the order of the calls."""
        bound = (make_tool(function, inject={World: self}) for function in functions)
        self.tools: tuple[Tool, ...] = tuple(self._mock(tool, mocks, tool_error) for tool in bound)
        """The subject's tools, bound to this world."""
        self.functions: Mapping[str, Callable[..., Any]] = {tool.name: tool.function for tool in self.tools}
        """The same as plain typed functions by their names, for frameworks that make tools of such."""
        if len(self.functions) < len(self.tools):
            names = [tool.name for tool in self.tools]
            twice = next(name for name in names if names.count(name) > 1)
            raise RegistryError(f"two tools are named {twice!r}; rename one")

    def _mock(self, tool: Tool, mocks: Mapping[str, Mocks], error: Callable[[str], Exception]) -> Tool:
        if tool.name not in mocks:
            return tool

        def note(arguments: JsonObject) -> None:
            self.mocked.append((tool.name, arguments))

        return replace(tool, function=mock_function(tool.function, mocks[tool.name], error=error, note=note))


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
