"""The messages of all calls of a trial as one tree, in which equal beginnings share their way."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from harness.records.message import AssistantMessage, Message, ToolResult

__all__ = ["Atom", "History", "atoms_of", "atoms_of_each", "is_spoken"]

Atom = tuple[str, ...]
"""One thing that was said: by whom, then what. A reply with text and two tool calls is three of them, since agents and
SDKs send it back in one message or in several."""

_ROOT = 0
_USER, _SPOKEN, _CALL, _RESULT = "user", "spoken", "call", "result"


def atoms_of(message: Message) -> Iterator[Atom]:
    """What a message says, without what only its provider reads; the JSON of arguments in one form."""
    if isinstance(message, ToolResult):
        yield _RESULT, message.call_id, message.content
    elif isinstance(message, AssistantMessage):
        if text := message.text.strip():
            yield _SPOKEN, text
        for call in message.tool_calls:
            yield _CALL, call.id, call.name, _canonical(call.arguments)
    else:
        yield _USER, message.text


def atoms_of_each(messages: Iterable[Message]) -> list[Atom]:
    """The atoms of several messages, in order."""
    return [atom for message in messages for atom in atoms_of(message)]


def is_spoken(atom: Atom) -> bool:
    """Whether the model said it."""
    return atom[0] in (_SPOKEN, _CALL)


class History:
    """Finds how far a request repeats what was sent and received before, in time linear in its length."""

    def __init__(self) -> None:
        self._steps: dict[tuple[int, Atom], int] = {}
        self._ends: dict[int, list[int]] = defaultdict(list)
        self._through: dict[int, list[int]] = defaultdict(list)

    def add(self, atoms: Sequence[Atom], call: int) -> None:
        """Note a call's messages and its reply, in order."""
        node = _ROOT
        for atom in atoms:
            node = self._steps.setdefault((node, atom), len(self._steps) + 1)
            self._through[node].append(call)
        self._ends[node].append(call)

    def sharing(self, atoms: Sequence[Atom]) -> tuple[int, list[int]]:
        """How many of the first atoms were known, and the calls that had them all."""
        path = list(self._walk(atoms))
        return len(path), self._through[path[-1]] if path else []

    def continued(self, atoms: Sequence[Atom]) -> Iterator[list[int]]:
        """The calls whose whole conversation, reply included, stands at the beginning; the longest first."""
        ends = [self._ends[node] for node in self._walk(atoms) if node in self._ends]
        return reversed(ends)

    def _walk(self, atoms: Sequence[Atom]) -> Iterator[int]:
        node = _ROOT
        for atom in atoms:
            found = self._steps.get((node, atom))
            if found is None:
                return
            node = found
            yield node


@lru_cache(maxsize=4096)
def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
