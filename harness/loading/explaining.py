"""Says in plain words, and at its place, where a document is no scenario."""

from __future__ import annotations

from collections.abc import Container, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.records.base import Record
from harness.records.mock import Mock
from harness.records.scenario import EXPECTATIONS, Limits, OutputRule, ScenarioFile, Verdict
from harness.strictyaml import Node, Place

__all__ = ["check_content"]

_Path = tuple[str | int, ...]

_DATA = {"arguments", "exactly", "equals", "returns", "settings", "state", "when", "world"}
"""Keys that hold the author's own data: null means null in there."""
_NULL = {"equals", "returns"}
"""Of these, the keys that may be null themselves."""

_WORDINGS = {
    "dict_type": "must hold keys with values, not {value}; write `key: value`",
    "greater_than": "must be more than {gt}, not {value}; raise it",
    "greater_than_equal": "must be at least {ge}, not {value}; raise it",
    "int_type": "must be a whole number, not {value}; write one without quotes",
    "less_than_equal": "must be at most {le}, not {value}; lower it",
    "model_type": "must hold keys with values, not {value}; write `key: value`",
    "string_pattern_mismatch": "can't be the name {value}; use lower-case letters, digits, `.`, `_`, `-`, 81 at most",
    "string_too_short": "is empty; write text",
    "string_type": "must be text, not {value}; write text, in quotes where it looks like something else",
    "too_short": "is too short: it needs {min_length} or more; add what is missing",
    "tuple_type": "must be a list, not {value}; write `[one, two]`, or lines that begin with `- `",
}


class _Blank:
    """Stands for a value that was left out, and fits nowhere: its author meant something by the key."""


def check_content(root: Node, *, known: Container[Place]) -> Iterator[tuple[Place, str]]:
    """Hold a document against the record that it should become: what is wrong, each with its place.

    A value at a ``known`` place is null because it could not be read, and nothing more is said of it.
    """
    try:
        ScenarioFile.model_validate(_show_blanks(root))
    except ValidationError as error:
        for details in error.errors(include_url=False):
            nodes, path = _follow(details["loc"], root)
            if nodes[-1].value is not None or nodes[-1].place not in known:
                yield _describe(details, nodes, path)


def _show_blanks(node: Node) -> Any:
    """The data of a scenario, with the keys marked that have no value."""
    if isinstance(node.value, dict):
        return {key: _show_blank(str(key), part) for key, part in node.parts.items()}
    if isinstance(node.value, list):
        return [_show_blanks(part) for part in node.parts.values()]
    return node.value


def _show_blank(key: str, node: Node) -> Any:
    if node.value is None and key not in _NULL:
        return _Blank()
    return node.value if key in _DATA else _show_blanks(node)


def _describe(details: ErrorDetails, nodes: list[Node], path: _Path) -> tuple[Place, str]:
    node, kind = nodes[-1], details["type"]
    last = path[-1] if path else None
    key_place = nodes[-2].keys[last] if isinstance(last, str) else node.place
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    if kind == "extra_forbidden":
        return key_place, _describe_unknown(str(last), path[:-1], nodes[-2])
    if isinstance(details["input"], _Blank):
        return key_place, f"`{where}` has no value; write one, or remove the key"
    if kind == "missing":
        return node.place, f"`{where}.{details['loc'][-1]}` is missing; add it".replace("`.", "`")
    place = key_place if details["loc"][-1:] == ("[key]",) else node.place
    if kind == "value_error":
        return place, f"{where and f'`{where}`: '}{details.get('ctx', {})['error']}"
    if kind == "unknown_expectation":
        return node.place, _describe_expectation(details, node)
    value = repr(details["input"])
    shown = value if len(value) <= 60 else f"{value[:59]}…"
    wording = _WORDINGS.get(kind, "can't be {value}; see docs/scenario-reference.md").format(
        value=shown, **details.get("ctx", {})
    )
    return place, f"`{where}` {wording}" if where else f"a scenario {wording}"


def _follow(loc: _Path, root: Node) -> tuple[list[Node], _Path]:
    """The values on the validator's way, and their path; the way also names union members, which stand in no file."""
    if loc[:1] == ("expect",):
        loc = loc[:2] + loc[3:]
    nodes, path = [root], _Path()
    for part in loc:
        if part in nodes[-1].parts:
            nodes.append(nodes[-1].parts[part])
            path = (*path, part)
    return nodes, path


def _describe_unknown(key: str, path: _Path, node: Node) -> str:
    if len(path) == 2 and key in EXPECTATIONS:
        return f"{key!r} is an expectation of its own; begin it on a new line with `- {key}:`"
    return _suggest(key, [field.alias or name for name, field in _record_at(path, node).model_fields.items()])


def _describe_expectation(details: ErrorDetails, node: Node) -> str:
    if isinstance(node.value, dict):
        for key in node.value:
            if get_close_matches(key, EXPECTATIONS, n=1):
                return _suggest(key, list(EXPECTATIONS))
    return details["msg"]


def _suggest(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"


def _record_at(path: _Path, node: Node) -> type[Record]:
    """The record that the keys at a path belong to."""
    match path:
        case ("limits",):
            return Limits
        case ("expect", int(), "output"):
            return OutputRule
        case ("expect", int(), "judge"):
            return Verdict
        case ("expect", int()):
            return next(record for key, record in EXPECTATIONS.items() if key in node.parts)
        case ("mocks", str()) | ("mocks", str(), int()):
            return Mock
    return ScenarioFile
