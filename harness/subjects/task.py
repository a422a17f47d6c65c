"""What a subject is given: the user's words, its settings, and the world that its tools act on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from harness.agent.tools import Tool, make_tool
from harness.records.base import JsonObject
from harness.seams import Seams
from harness.subjects.texts import read_text

__all__ = ["Task", "World"]


class World:
    """The state that a trial's tools read and change, and the tools bound to it.

    It starts as a copy of the scenario's ``world``; what it is at the end is what ``state`` expectations see.
    """

    def __init__(self, state: Mapping[str, JsonValue], functions: Iterable[Callable[..., Any]] = ()) -> None:
        self.state: dict[str, Any] = copy.deepcopy(dict(state))
        """Plain JSON data; tools change it in place."""
        self.tools: tuple[Tool, ...] = tuple(make_tool(function, inject={World: self}) for function in functions)
        """The subject's tools, bound to this world."""


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
