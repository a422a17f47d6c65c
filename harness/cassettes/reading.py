"""Reads the YAML of a cassette as data and nothing else: no tags but base64, no aliases, bounded in depth and length.

It works on the parser's events, so nothing is built before it was checked. Only the event parser is libyaml's, which
keeps its own stack on the heap; what crashes on deep nesting is libyaml's composer.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

__all__ = ["Node", "UnreadableError", "read_yaml"]

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 32
_MAX_NODES = 1_000_000
_BINARY = "tag:yaml.org,2002:binary"
_TEXT = (None, "!", "tag:yaml.org,2002:str")


class UnreadableError(Exception):
    """The text can't be read: at which line, and why."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line it begins in, from 1."""

    line: int
    value: str | bytes | dict[str, Node] | list[Node] | None
    """A plain scalar is text too, whatever YAML would make of it, but for null."""


def read_yaml(text: str) -> Node:
    """The one document of a text. Raises :class:`UnreadableError`."""
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise UnreadableError(mark.line + 1 if mark else 1, f"is not valid YAML: {what}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(line, f"holds a character that YAML does not allow: {error.reason}") from error


class _Composer:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._nodes = 0

    def document(self) -> Node:
        self._next(yaml.StreamStartEvent, "a stream")
        self._next(yaml.DocumentStartEvent, "a document")
        node = self._node(next(self._events), 0)
        self._next(yaml.DocumentEndEvent, "the end of the document")
        self._next(yaml.StreamEndEvent, "the end of the file")
        return node

    def _next(self, kind: type, what: str) -> None:
        event = next(self._events)
        if not isinstance(event, kind):
            raise UnreadableError(_line(event), f"{what} was expected here")

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise UnreadableError(_line(event), f"holds more than {_MAX_NODES:,} values")
        if depth > _MAX_DEPTH:
            raise UnreadableError(_line(event), f"is nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise UnreadableError(_line(event), "holds an anchor or alias, which a cassette never needs")
        if isinstance(event, yaml.ScalarEvent):
            return Node(_line(event), _scalar(event))
        if not isinstance(event, yaml.CollectionStartEvent):
            raise UnreadableError(_line(event), "a value was expected here")
        if event.tag is not None:
            raise UnreadableError(_line(event), f"holds the tag {event.tag!r}; only !!binary is allowed")
        if isinstance(event, yaml.MappingStartEvent):
            return Node(_line(event), self._mapping(depth))
        return Node(_line(event), self._sequence(depth))

    def _mapping(self, depth: int) -> dict[str, Node]:
        mapping: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key.value, str):
                raise UnreadableError(key.line, "holds a key that is no text")
            if key.value in mapping:
                raise UnreadableError(key.line, f"holds the key {key.value!r} twice")
            mapping[key.value] = self._node(next(self._events), depth + 1)
        return mapping

    def _sequence(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items


def _scalar(event: yaml.ScalarEvent) -> str | bytes | None:
    if event.tag == _BINARY:
        try:
            return base64.b64decode("".join(event.value.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise UnreadableError(_line(event), f"holds !!binary data that is no base64: {error}") from error
    if event.tag not in _TEXT:
        raise UnreadableError(_line(event), f"holds the tag {event.tag!r}; only !!binary is allowed")
    if event.tag is None and event.implicit[0] and event.value in ("", "~", "null"):
        return None
    return str(event.value)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
