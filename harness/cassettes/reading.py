"""Reads the YAML of a cassette, or its JSON, as data and nothing else: bounded in depth, in length and in what aliases
repeat, and no tag builds anything but text, bytes and lists.

It works on the parser's events, so nothing is built before it was checked. Only the event parser is libyaml's, which
keeps its own stack on the heap; what crashes on deep nesting is libyaml's composer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

__all__ = ["BEFORE_VERSION_1", "MAX_BYTES", "Node", "UnreadableError", "read_yaml"]

MAX_BYTES = 64 * 1024 * 1024
"""What one file may hold, unpacked and with its aliases written out."""

BEFORE_VERSION_1 = "was written by vcrpy before 1.0; convert it with `python -m vcr.migration FILE` first"

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 32
_MAX_NODES = 1_000_000
_YAML = "tag:yaml.org,2002:"
_BINARY = f"{_YAML}binary"
_TEXT = {None, "!", f"{_YAML}str", f"{_YAML}python/str", f"{_YAML}python/unicode"}
_LISTS = {None, "!", f"{_YAML}seq", f"{_YAML}python/tuple"}
_MAPPINGS = {None, "!", f"{_YAML}map"}
_BUFFERS = {f"{_YAML}python/object/new:_io.BytesIO": "state", f"{_YAML}python/object/apply:builtins.iter": "args"}
"""How vcrpy writes a request's body that was a file or an iterator, and the key under which the content stands."""
_JSON = re.compile(r'\s*\{\s*"')
_SURROGATES = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)|\x7f", re.IGNORECASE)


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
    is_plain: bool = False
    """Whether it stands without quotes and tag, so that YAML would take ``1`` for a number."""


def read_yaml(text: str) -> Node:
    """The one document of a text. Raises :class:`UnreadableError`."""
    text = text.removeprefix("\ufeff")
    if _JSON.match(text):
        text = _SURROGATES.sub(_as_yaml, text)
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise UnreadableError(mark.line + 1 if mark else 1, f"is not valid YAML: {what}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(line, f"holds a character that YAML does not allow: {error.reason}") from error


def _as_yaml(match: re.Match[str]) -> str:
    """What JSON writes otherwise than YAML: a character beyond 16 bits as two escapes, and DEL as it is."""
    if match.group() == "\x7f":
        return "\\x7f"
    if match[1] is None:
        return match.group()
    pair = bytes.fromhex(match[1] + match[2])
    return f"\\U{ord(pair.decode('utf-16-be')):08x}"


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A value that aliases may repeat, and what that costs: an alias counts as if the value stood there."""

    node: Node
    nodes: int
    size: int
    """Characters of text."""
    height: int
    """Levels below it."""


class _Composer:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchored: dict[str, _Anchored] = {}
        self._nodes = 0
        self._size = 0
        self._deepest = 0
        """Of what has been read since the value under way began."""

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
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event, depth)
        if anchor is None:
            return self._value(event, depth)
        nodes, size, deepest = self._nodes, self._size, self._deepest
        self._deepest = depth
        node = self._value(event, depth)
        self._anchored[anchor] = _Anchored(node, self._nodes - nodes, self._size - size, self._deepest - depth)
        self._deepest = max(deepest, self._deepest)
        return node

    def _value(self, event: yaml.Event, depth: int) -> Node:
        self._count(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            self._size += len(event.value)
            return _scalar(event)
        if isinstance(event, yaml.MappingStartEvent):
            node = Node(_line(event), self._mapping(depth))
            return node if event.tag in _MAPPINGS else _buffer(event, node)
        if isinstance(event, yaml.SequenceStartEvent):
            if event.tag not in _LISTS:
                raise _unknown_tag(event)
            return Node(_line(event), self._sequence(depth))
        raise UnreadableError(_line(event), "a value was expected here")

    def _repeated(self, event: yaml.AliasEvent, depth: int) -> Node:
        found = self._anchored.get(str(event.anchor))
        if found is None:
            raise UnreadableError(_line(event), f"holds the alias {event.anchor!r} of something that is not yet whole")
        self._size += found.size
        self._count(event, depth + found.height, found.nodes)
        return found.node

    def _count(self, event: yaml.Event, depth: int, nodes: int = 1) -> None:
        self._nodes += nodes
        self._deepest = max(self._deepest, depth)
        if self._nodes > _MAX_NODES:
            raise UnreadableError(_line(event), f"holds more than {_MAX_NODES:,} values")
        if depth > _MAX_DEPTH:
            raise UnreadableError(_line(event), f"is nested deeper than {_MAX_DEPTH} levels")
        if self._size > MAX_BYTES:
            raise UnreadableError(_line(event), "repeats so much by its aliases that it would fill the memory")

    def _mapping(self, depth: int) -> dict[str, Node]:
        mapping: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key.value, str):
                raise UnreadableError(key.line, "holds a key that is no text")
            if key.value in mapping:
                raise UnreadableError(_line(event), f"holds the key {key.value!r} twice")
            mapping[key.value] = self._node(next(self._events), depth + 1)
        return mapping

    def _sequence(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items


def _scalar(event: yaml.ScalarEvent) -> Node:
    if event.tag == _BINARY:
        try:
            return Node(_line(event), base64.b64decode("".join(event.value.split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise UnreadableError(_line(event), f"holds !!binary data that is no base64: {error}") from error
    if event.tag not in _TEXT:
        raise _unknown_tag(event)
    is_plain = event.tag is None and event.implicit[0]
    if is_plain and event.value in ("", "~", "null"):
        return Node(_line(event), None)
    return Node(_line(event), str(event.value), is_plain)


def _buffer(event: yaml.MappingStartEvent, node: Node) -> Node:
    """The content of a Python file or iterator, read as the data that it holds."""
    key = _BUFFERS.get(str(event.tag))
    if key is None:
        raise _unknown_tag(event)
    held = node.value[key] if isinstance(node.value, dict) and key in node.value else Node(node.line, [])
    parts = held.value[:1] if isinstance(held.value, list) else [held]
    if parts and isinstance(parts[0].value, list):
        parts = parts[0].value
    data = [part.value.encode() if isinstance(part.value, str) else part.value for part in parts]
    return Node(node.line, b"".join(piece for piece in data if isinstance(piece, bytes)))


def _unknown_tag(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> UnreadableError:
    tag = str(event.tag)
    if tag.endswith("vcr.request.Request"):
        return UnreadableError(_line(event), BEFORE_VERSION_1)
    return UnreadableError(_line(event), f"holds the tag {tag!r}, which is no plain data")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
