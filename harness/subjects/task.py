"""What a subject is given: the user's words, its settings, and the world that its tools act on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from harness.agent.binding import bind_function, read_parameters
from harness.agent.tools import Tool, make_tool
from harness.cassettes.routing import suspects
from harness.errors import CassetteMissError, HarnessError, RegistryError, ToolError
from harness.records.base import JsonObject
from harness.records.mock import Mocks
from harness.seams import Seams
from harness.subjects.mocking import mock_function
from harness.subjects.texts import read_text
from harness.virtual import handed_on

__all__ = ["Task", "World", "acting_on", "current_world", "find_world"]


class World:
    """The state that a trial's tools read and change, and the tools bound to it.

    It starts as a copy of the scenario's ``world``; what it is at the end is what ``state`` expectations see.
    """

    def __init__(
        self,
        state: Mapping[str, JsonValue],
        functions: Iterable[Callable[..., Any]] = (),
        *,
        replace: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
        mocks: Mapping[str, Mocks] = MappingProxyType({}),
        tool_error: Callable[[str], Exception] = ToolError,
    ) -> None:
        self.state: dict[str, Any] = copy.deepcopy(dict(state))
        """Plain JSON data; tools change it in place."""
        self.mocked: list[tuple[str, JsonObject]] = []
        """The calls that were answered by a mock: the tool's name and its arguments, in the order of the calls."""
        self._mocks, self._tool_error = mocks, tool_error
        made = {function: make_tool(function, inject={World: self}) for function in functions}
        bound = {function: self._mock(tool.name, tool.function) for function, tool in made.items()}
        bound |= {function: self._bind(function) for function in replace.values() if function not in bound}
        self.tools: tuple[Tool, ...] = tuple(
            dataclasses.replace(tool, function=bound[function]) for function, tool in made.items()
        )
        """The subject's tools, bound to this world."""
        self.functions: Mapping[str, Callable[..., Any]] = {tool.name: tool.function for tool in self.tools}
        """The same as plain typed functions by their names, for frameworks that make tools of such."""
        self.replacements: Mapping[str, Callable[..., Any]] = {place: bound[each] for place, each in replace.items()}
        """What stands in the place of the agent's own functions, by dotted name; bound as the tools are."""
        self.mockable: Mapping[str, Callable[..., Any]] = {each.__name__: each for each in bound.values()}
        """All these functions by their names."""
        names = [function.__name__ for function in bound.values()]
        if twice := [name for name in names if names.count(name) > 1]:
            raise RegistryError(f"two tools are named {twice[0]!r}; rename one")

    def _bind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        bound = bind_function(function, read_parameters(function, {World}), {World: self})
        return self._mock(function.__name__, bound)

    def _mock(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if name not in self._mocks:
            return function

        def note(arguments: JsonObject) -> None:
            self.mocked.append((name, arguments))

        return mock_function(function, self._mocks[name], error=self._tool_error, note=note)


_CURRENT: ContextVar[World | None] = handed_on(ContextVar("harness_world", default=None))
_UNDER_WAY: list[World] = []
"""The worlds of the trials under way in this process."""


def current_world() -> World:
    """The world of the trial that the running code belongs to, in its tasks and in the threads that it starts.

    Raises :class:`HarnessError` where no trial is under way, and :class:`CassetteMissError` where one is that the code
    does not belong to.
    """
    world = find_world("harness.current_world()")
    if world is None:
        raise HarnessError("harness.current_world() was called where no trial is under way; only a trial has a world")
    return world


def find_world(what: str, concerned: Callable[[World], bool] = lambda _: True) -> World | None:
    """The world of the trial that the running code belongs to; None where it belongs to none.

    Where it may belong to one all the same, through a thread that was started without its context, each trial under way
    fails, whatever its agent does with the :class:`CassetteMissError` that is raised: the real data would be met in
    silence. So it is with code whose trial has ended. ``concerned`` tells for which worlds that matters; ``what`` was
    called.
    """
    world = _CURRENT.get()
    under_way = tuple(_UNDER_WAY)
    if world in under_way or not any(map(concerned, under_way if world is None else (world,))):
        return world
    if world is None:
        cause = (
            f"{what} was called from a thread that belongs to no trial while one is under way; start the thread inside "
            "the trial, use a ThreadPoolExecutor, or run its work in contextvars.copy_context()"
        )
    else:
        cause = f"{what} was called after its trial had ended; wait in the agent for what it started"
    for session in suspects():
        session.refuse(cause, what)
    raise CassetteMissError(cause)


@contextmanager
def acting_on(world: World) -> Iterator[None]:
    """Make this the current world of this context, and of all contexts copied from it."""
    token = _CURRENT.set(world)
    _UNDER_WAY.append(world)
    try:
        yield
    finally:
        _UNDER_WAY.remove(world)
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
