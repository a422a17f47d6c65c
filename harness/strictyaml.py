"""Strict YAML with the place of every value: YAML 1.2 core types, no tags, anchors, aliases or duplicate keys."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from harness.errors import BadInputError, Fault

__all__ = ["Place", "Places", "read_yaml"]

Place = tuple[int, int]
"""Line and column, both from 1."""

Places = dict[tuple[str | int, ...], Place]
"""The place of each value, or of its key where it has one, by the path in the data."""

_MAX_BYTES = 1_000_000
_MAX_DEPTH = 40
_MAX_DIGITS = 300
_NO_NUMBER = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_CORE_TYPES = (
    (re.compile(r"(?:~|null|Null|NULL|)\Z"), lambda text: None),
    (re.compile(r"(?:true|True|TRUE)\Z"), lambda text: True),
    (re.compile(r"(?:false|False|FALSE)\Z"), lambda text: False),
    (re.compile(rf"[-+]?[0-9]{{1,{_MAX_DIGITS}}}\Z"), int),
    (re.compile(r"0o[0-7]{1,60}\Z"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,60}\Z"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"), float),
)


class _StrictLoader(yaml.SafeLoader):
    """Composes nodes only, so it never builds an object; refuses what plain data has no use for."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _refusal(event.start_mark, "anchors and aliases are not read; write the value out")
        if event.tag:
            raise _refusal(event.start_mark, f"tags such as {event.tag!r} are not read; remove it")
        if self.depth >= _MAX_DEPTH:
            raise _refusal(event.start_mark, f"nested more than {_MAX_DEPTH} deep; flatten it")
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_yaml(path: Path, name: str | None = None) -> tuple[Any, Places]:
    """The plain data of a file, and the place of each value by its path in the data.

    ``name`` is what faults call the file; its path without one. Raises :class:`BadInputError` with
    ``file:line:column`` where the file can't be read or isn't strict YAML.
    """
    name = name or str(path)
    loader = None
    text = _read_text(path, name)
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        places: Places = {}
        return _plain(node, (), places), places
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = error.problem or "not YAML"
        what = problem if ";" in problem else f"is no valid YAML: {problem}; mend it"
        raise BadInputError([Fault(name, line, column, what)]) from None
    except yaml.YAMLError as error:  # a character that YAML forbids has no mark of the usual kind
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        what = f"{getattr(error, 'reason', 'not YAML')}; remove the character"
        raise BadInputError([Fault(name, line, 0, what)]) from None
    finally:
        if loader is not None:
            loader.dispose()


def _read_text(path: Path, name: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError([Fault(name, 0, 0, f"can't be read ({error.strerror}); check the path")]) from None
    if len(data) > _MAX_BYTES:
        raise BadInputError([Fault(name, 0, 0, f"has {len(data)} bytes; split it below {_MAX_BYTES}")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInputError([Fault(name, line, 0, "is not UTF-8; save it as UTF-8")]) from None


def _plain(node: yaml.Node | None, path: tuple[str | int, ...], places: Places) -> Any:
    if node is None:
        return None
    places[path] = _place(node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, number), places) for number, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal(key_node.start_mark, "a key is plain text")
            if key_node.value == "<<" and key_node.style is None:
                raise _refusal(key_node.start_mark, "merge keys are not read; write the values out")
            if key_node.value in mapping:
                raise _refusal(key_node.start_mark, f"the key {key_node.value!r} stands here twice; remove one")
            mapping[key_node.value] = _plain(value_node, (*path, key_node.value), places)
            places[(*path, key_node.value)] = _place(key_node.start_mark)
        return mapping
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    if node.style is not None:  # quoted or block: text
        return text
    value = next((read(text) for pattern, read in _CORE_TYPES if pattern.match(text)), text)
    if _NO_NUMBER.match(text) or (isinstance(value, float) and not math.isfinite(value)):
        raise _refusal(node.start_mark, f"{text!r} is a number that JSON has no word for; quote it if it is text")
    return value


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


def _refusal(mark: yaml.Mark, what: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark)
