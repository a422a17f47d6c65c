"""The messages of all calls of a trial as one tree, in which equal beginnings share their way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from harness.records.json_text import read_json
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
        self._ends: dict[int, list[int]] = {}
        self._through: list[list[int]] = [[]]

    def walk(self, atoms: Sequence[Atom]) -> list[int]:
        """The way of the first atoms, as far as some earlier call had sent or received them in this order."""
        node, path = _ROOT, []
        for atom in atoms:
            found = self._steps.get((node, atom))
            if found is None:
                break
            node = found
            path.append(node)
        return path

    def add(self, atoms: Sequence[Atom], path: Sequence[int], call: int) -> None:
        """Note a call's messages and its reply, in order; ``path`` is the way of those that were known."""
        for node in path:
            self._through[node].append(call)
        node = path[-1] if path else _ROOT
        for atom in atoms[len(path) :]:
            step = self._steps.get((node, atom))
            if step is None:
                step = self._steps[node, atom] = len(self._through)
                self._through.append([])
            node = step
            self._through[node].append(call)
        self._ends.setdefault(node, []).append(call)

    def sharing(self, path: Sequence[int]) -> list[int]:
        """The calls that went this way to its end."""
        return self._through[path[-1]] if path else []

    def continued(self, path: Sequence[int]) -> Iterator[list[int]]:
        """The calls whose whole conversation, reply included, lies on this way; the longest first."""
        return (self._ends[node] for node in reversed(path) if node in self._ends)


@lru_cache(maxsize=4096)
def _canonical(arguments: str) -> str:
    try:
        return json.dumps(read_json(arguments or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
