"""A YAML text as plain data in which every value and key knows its place.

The parser is PyYAML's, in pure Python, used as a stream of events: the tree is built here without recursion, with
bounds on depth and size. What could mean two things, or make one file stand for more than it shows, is refused: tags,
anchors, aliases, merge keys, directives, duplicate keys, keys that are no text. A text with which nothing is wrong is
read from libyaml's events, to the same tree: nearly all are, and it takes a fifth of the time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import JsonValue
from yaml import events
from yaml.error import MarkedYAMLError
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from harness.strictyaml.scalars import read_plain
from harness.strictyaml.wording import reword

__all__ = ["Document", "Node", "Place", "read_document"]

_MOST_DEPTH = 50
_MOST_NODES = 20_000
"""Lists, mappings, keys and values together: more than a second of parsing."""

_LIBYAML: type | None = getattr(yaml, "CSafeLoader", None)
"""Not in every build of PyYAML. Only the events are libyaml's: what crashes on deep nesting is its composer."""
_BLOCKS = ("|", ">")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")

Place = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(slots=True)
class Node:
    """One value of a document."""

    place: Place
    value: JsonValue
    keys: dict[str, Place] = field(default_factory=dict)
    """Where each key of a mapping stands."""
    parts: dict[str | int, Node] = field(default_factory=dict)
    """The values of a mapping, or the items of a list."""


@dataclass(slots=True)
class Document:
    """What became of a text."""

    root: Node | None
    """None where it could not be read to its end."""
    faults: dict[Place, str]
    """What is wrong, by place. A value at such a place is null."""


class _RefusedError(Exception):
    """Reading can't go on; what is wrong and where."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place
        self.what = what


def read_document(text: str) -> Document:
    """Read a text that holds one YAML document. Whatever is wrong with it is among the faults; nothing is raised."""
    found = _UNREADABLE.search(text)
    if found:
        line, column = _place_of(text, found.start())
        what = f"holds the unreadable character U+{ord(found[0]):04X}; remove it, or write it as an escape in quotes"
        return Document(None, {(line, column): what})
    return _read_fast(text) or _read_exactly(text)


def _read_fast(text: str) -> Document | None:
    """The document by libyaml's events; None where anything is wrong, and where the two parsers differ.

    libyaml takes a tab for blanks, a ``?`` within unquoted text in brackets, and a comment right behind ``|``. It has
    another place for a value that is not there.
    """
    if _LIBYAML is None or "\t" in text:
        return None
    builder = _Builder()
    lines, brackets = text.splitlines(), 0
    try:
        for event in yaml.parse(text, Loader=_LIBYAML):
            if isinstance(event, events.ScalarEvent):
                is_plain = event.implicit[0]
                if is_plain and (not event.value or (brackets and "?" in event.value)):
                    return None
                if event.style in _BLOCKS and "#" in lines[_start(event)[0] - 1]:
                    return None
            elif isinstance(event, events.CollectionStartEvent):
                brackets += bool(brackets or event.flow_style)
            elif isinstance(event, events.CollectionEndEvent):
                brackets -= bool(brackets)
            builder.take(event)
    except (_RefusedError, yaml.YAMLError):
        return None
    return None if builder.faults or builder.root is None else Document(builder.root, {})


def _read_exactly(text: str) -> Document:
    builder = _Builder()
    stream = _Events(text)
    try:
        while stream.check_event():
            builder.take(stream.get_event())  # type: ignore[no-untyped-call]
    except _RefusedError as error:
        return Document(None, {**builder.faults, error.place: error.what})
    except MarkedYAMLError as error:
        mark, what = reword(error)
        return Document(None, {**builder.faults, _place(mark): what})
    except (ValueError, OverflowError):  # from chr(): PyYAML lets any eight hexadecimal digits through
        what = "this escape stands for no character; write the character itself"
        return Document(None, {**builder.faults, _place(stream.get_mark()): what})
    if builder.root is None and not builder.faults:
        builder.faults[1, 1] = "the file is empty; write keys with values, or remove it"
    return Document(builder.root, builder.faults)


class _Events(Reader, Scanner, Parser):
    """PyYAML's event stream, which refuses early what its own look-ahead would be slow on."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= _MOST_DEPTH:
            raise _too_deep(_place(self.get_mark()))
        super().fetch_flow_collection_start(token)

    def fetch_directive(self) -> None:
        raise _RefusedError(_place(self.get_mark()), "directives (`%…`) are not read; remove this line")


class _Builder:
    """Puts the tree together, event by event."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: dict[Place, str] = {}
        self._open: list[_Collection] = []
        self._count = 0

    def take(self, event: events.Event) -> None:
        """Add what the event brings. Raises :class:`_RefusedError`."""
        if isinstance(event, events.DocumentStartEvent):
            if self.root is not None:
                raise _RefusedError(_start(event), "a second document begins; keep one in a file")
        elif isinstance(event, events.AliasEvent):
            self._refuse(event, f"aliases (`*{event.anchor}`) are not read; write the value out, or quote the text")
            self._add(Node(_start(event), None))
        elif isinstance(event, events.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, events.CollectionStartEvent):
            self._check_properties(event)
            is_mapping = isinstance(event, events.MappingStartEvent)
            value: JsonValue = {} if is_mapping else []
            self._open.append(_Collection(Node(_start(event), value), is_mapping))
            if len(self._open) > _MOST_DEPTH:
                raise _too_deep(_start(event))
        elif isinstance(event, events.CollectionEndEvent):
            self._add(self._open.pop().node)

    def _take_scalar(self, event: events.ScalarEvent) -> None:
        self._check_properties(event)
        place = _start(event)
        value: JsonValue = event.value
        if _SURROGATE.search(event.value):
            self.faults[place] = "an escape stands for half a character; write the character itself"
            value = None
        elif event.implicit[0]:
            try:
                value = read_plain(event.value)
            except ValueError as error:
                self.faults[place] = str(error)
                value = None
        self._add(Node(place, value), is_merge=event.implicit[0] and value == "<<")

    def _check_properties(self, event: events.NodeEvent) -> None:
        if event.anchor is not None:
            self._refuse(event, f"anchors (`&{event.anchor}`) are not read; remove it, or quote the text")
        if isinstance(event, events.ScalarEvent | events.CollectionStartEvent) and event.tag is not None:
            self._refuse(event, f"tags (`{event.tag}`) are not read; remove it, or quote the text")

    def _refuse(self, event: events.Event, what: str) -> None:
        self.faults[_start(event)] = what

    def _add(self, node: Node, *, is_merge: bool = False) -> None:
        self._count += 1
        if self._count > _MOST_NODES:
            raise _RefusedError(node.place, f"the file holds more than {_MOST_NODES} values; make it smaller")
        if not self._open:
            self.root = node
            return
        into = self._open[-1]
        if not into.is_mapping:
            into.append(node)
        elif into.awaits_value:
            into.put(node)
        else:
            fault = _fault_of_key(node, into.node, is_merge=is_merge)
            if fault is None:
                into.expect_value(node)
            else:
                self.faults.setdefault(node.place, fault)
                into.expect_value(None)


@dataclass(slots=True)
class _Collection:
    """A mapping or list that is not closed yet."""

    node: Node
    is_mapping: bool
    awaits_value: bool = False
    key: str | None = None
    """The key whose value comes next; None drops it."""

    def append(self, item: Node) -> None:
        assert isinstance(self.node.value, list)
        self.node.parts[len(self.node.value)] = item
        self.node.value.append(item.value)

    def expect_value(self, key: Node | None) -> None:
        self.awaits_value = True
        self.key = None
        if key is not None:
            assert isinstance(key.value, str)
            self.key = key.value
            self.node.keys[key.value] = key.place

    def put(self, value: Node) -> None:
        assert isinstance(self.node.value, dict)
        self.awaits_value = False
        if self.key is not None:
            self.node.parts[self.key] = value
            self.node.value[self.key] = value.value


def _fault_of_key(key: Node, mapping: Node, *, is_merge: bool) -> str | None:
    if is_merge:
        return "merge keys (`<<`) are not read; write the keys out"
    if isinstance(key.value, dict | list):
        return "a key must be text, not a list or mapping; if braces belong to the text, quote it"
    if not isinstance(key.value, str):
        shown = json.dumps(key.value)
        return f'a key must be text; quote it: "{shown}"'
    if key.value in mapping.keys:
        return f"key {key.value!r} is here twice, first in line {mapping.keys[key.value][0]}; keep one"
    return None


def _too_deep(place: Place) -> _RefusedError:
    return _RefusedError(place, f"nests deeper than {_MOST_DEPTH} levels; make it flatter")


def _start(event: events.Event) -> Place:
    assert event.start_mark is not None
    return _place(event.start_mark)


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1


def _place_of(text: str, index: int) -> Place:
    before = re.split("\r\n|[\r\n]", text[:index])
    return len(before), len(before[-1]) + 1
