"""How two definitions differ, in the words of the person who wrote them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from harness.cassettes.canonical import canonical_text, is_model_api
from harness.cassettes.diffs import diff_texts, diff_values
from harness.cassettes.headers import compared_headers
from harness.records.base import JsonObject
from harness.records.exchange import Exchange, HttpRequest
from harness.records.mismatch import MismatchPart
from harness.wire.split import Definition

__all__ = [
    "Difference",
    "definition_differences",
    "first_difference",
    "header_differences",
    "pretty",
    "pretty_pair",
]

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of a definition that differs."""

    part: MismatchPart
    cause: str
    recorded: str
    current: str
    sides: tuple[JsonValue, JsonValue]
    """The whole part on each side, for a diff of all its places."""

    @property
    def diff(self) -> tuple[str, ...]:
        """Every differing place of the part."""
        before, after = self.sides
        if self.part is MismatchPart.SYSTEM_PROMPT and isinstance(before, str) and isinstance(after, str):
            return diff_texts(before, after)
        return diff_values(before, after)


def definition_differences(recorded: Definition, current: Definition) -> list[Difference]:
    """Each part that differs, in the order in which to look at them.

    Requests to different endpoints are written differently all over, so nothing else is then compared.
    """
    if recorded.endpoint != current.endpoint:
        return [_changed(MismatchPart.ENDPOINT, "endpoint", recorded.endpoint, current.endpoint)]
    differences = []
    if recorded.model != current.model:
        differences.append(_changed(MismatchPart.MODEL, "model", recorded.model, current.model))
    differences += _tool_differences(recorded.tools, current.tools)
    if recorded.system != current.system:
        differences.append(_system_difference(recorded.system, current.system))
    beside = recorded.settings.get("system"), current.settings.get("system")
    if beside[0] != beside[1]:
        cause = "system prompt: its role, or what else is said beside its text, changed"
        texts = pretty(beside[0]), pretty(beside[1])
        differences.append(Difference(MismatchPart.SYSTEM_PROMPT, cause, *texts, sides=beside))
    for part, before, after in (
        (MismatchPart.OUTPUT_SCHEMA, recorded.output_schema, current.output_schema),
        (MismatchPart.SETTINGS, _without_system(recorded.settings), _without_system(current.settings)),
    ):
        if canonical_text(before) != canonical_text(after):
            cause = f"{part}: {first_difference(before, after)}"
            differences.append(Difference(part, cause, pretty(before), pretty(after), sides=(before, after)))
    return differences


def header_differences(recorded: Exchange, current: HttpRequest) -> list[Difference]:
    """Each header that counts and differs. One that the recording may not have kept can't."""
    before, after = (
        dict(compared_headers(each.headers, recorded.unknown_headers, is_model_api=is_model_api(each)))
        for each in (recorded.request, current)
    )
    return [
        Difference(
            MismatchPart.SETTINGS,
            f"header {name}: {before.get(name, 'none')} → {after.get(name, 'none')}",
            before.get(name, ""),
            after.get(name, ""),
            sides=({name: before[name]} if name in before else {}, {name: after[name]} if name in after else {}),
        )
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]


def _without_system(settings: JsonObject) -> JsonObject:
    return {key: value for key, value in settings.items() if key != "system"}


def pretty(value: JsonValue) -> str:
    """A value for a reader: text as it stands, anything else as indented JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def pretty_pair(recorded: JsonValue, current: JsonValue) -> tuple[str, str]:
    """Two messages for a reader, JSON inside their texts laid open; None gives nothing.

    Where that would hide the difference, such as one in white space, they stay as they are.
    """
    opened = _laid_open(recorded), _laid_open(current)
    pair = (recorded, current) if opened[0] == opened[1] else opened
    before, after = ("" if value is None else pretty(value) for value in pair)
    return before, after


def _laid_open(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _laid_open(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_laid_open(item) for item in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            opened: JsonValue = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return opened
    return value


def _changed(part: MismatchPart, name: str, before: str, after: str) -> Difference:
    return Difference(part, f"{name}: {before or 'none'} → {after or 'none'}", before, after, sides=(before, after))


def _system_difference(recorded: str, current: str) -> Difference:
    before, after = recorded.splitlines(), current.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    if not changes:
        cause = "system prompt: line ends differ"
        sides = recorded, current
        return Difference(MismatchPart.SYSTEM_PROMPT, cause, repr(recorded[-40:]), repr(current[-40:]), sides=sides)
    tag, start, stop, new_start, new_stop = changes[0]
    if not recorded or not current:
        cause = f"system prompt: {'was added' if current else 'was removed'}"
    elif tag == "delete":
        cause = f"system prompt, line {start + 1} was removed"
    elif tag == "insert":
        cause = f"system prompt, line {new_start + 1} was added"
    else:
        cause = f"system prompt, line {new_start + 1}"
    if len(changes) > 1:
        cause += f" (and {len(changes) - 1} more {'place' if len(changes) == 2 else 'places'})"
    texts = "\n".join(before[start:stop]), "\n".join(after[new_start:new_stop])
    return Difference(MismatchPart.SYSTEM_PROMPT, cause, *texts, sides=(recorded, current))


def _tool_differences(recorded: Mapping[str, JsonValue], current: Mapping[str, JsonValue]) -> list[Difference]:
    causes = list(_tool_causes(recorded, current))
    if not causes:
        return []
    cause, before, after = causes[0]
    if len(causes) > 1:
        cause += f" (and {len(causes) - 1} more {'tool' if len(causes) == 2 else 'tools'})"
    return [Difference(MismatchPart.TOOLS, cause, before, after, sides=(dict(recorded), dict(current)))]


def _tool_causes(recorded: Mapping[str, JsonValue], current: Mapping[str, JsonValue]) -> Iterator[tuple[str, str, str]]:
    removed = [name for name in recorded if name not in current]
    added = [name for name in current if name not in recorded]
    for old in list(removed):
        for new in added:
            if _nameless(recorded[old]) == _nameless(current[new]):
                yield f"tool `{old}` was renamed to `{new}`", pretty(recorded[old]), pretty(current[new])
                removed.remove(old)
                added.remove(new)
                break
    for name in removed:
        yield f"tool `{name}` was removed", pretty(recorded[name]), ""
    for name in added:
        yield f"tool `{name}` was added", "", pretty(current[name])
    for name, before in recorded.items():
        if name in current and canonical_text(before) != canonical_text(current[name]):
            cause = f"tool `{name}`: {_tool_change(before, current[name])}"
            yield cause, pretty(before), pretty(current[name])


def _nameless(tool: JsonValue) -> str:
    inner = _inner(tool)
    return canonical_text({key: value for key, value in inner.items() if key != "name"})


def _inner(tool: JsonValue) -> JsonObject:
    """The part of a tool that holds its name: itself, or what chat nests under its type."""
    if not isinstance(tool, dict):
        return {}
    nested = tool.get(str(tool.get("type")))
    return nested if isinstance(nested, dict) else tool


def _tool_change(recorded: JsonValue, current: JsonValue) -> str:
    before, after = _inner(recorded), _inner(current)
    if before.get("description") != after.get("description"):
        return "description changed"
    return _parameter_change(_schema(before), _schema(after)) or first_difference(recorded, current)


def _schema(tool: JsonObject) -> JsonObject:
    schema = tool.get("parameters", tool.get("input_schema"))
    return schema if isinstance(schema, dict) else {}


def _parameter_change(before: JsonObject, after: JsonObject) -> str | None:
    old, new = before.get("properties"), after.get("properties")
    old, new = (old if isinstance(old, dict) else {}), (new if isinstance(new, dict) else {})
    old_required, new_required = _names(before.get("required")), _names(after.get("required"))
    for name in old:
        if name not in new:
            return f"parameter `{name}` was removed"
    for name in new:
        if name not in old:
            return f"parameter `{name}` was added" + (", required" if name in new_required else "")
    for name in old:
        if (name in old_required) != (name in new_required):
            return f"parameter `{name}` became {'required' if name in new_required else 'optional'}"
    for name in old:
        if canonical_text(old[name]) != canonical_text(new[name]):
            return f"parameter `{name}`: {first_difference(old[name], new[name])}"
    return None


def _names(value: JsonValue) -> set[str]:
    return {str(name) for name in value} if isinstance(value, list) else set()


def first_difference(recorded: JsonValue, current: JsonValue) -> str:
    """The first place in which two values differ: ``temperature 0 → 1``."""
    path, before, after = _find(recorded, current, ())
    name = ".".join(path)
    if before is _ABSENT:
        return f"`{name}` was added" if name else "was added"
    if after is _ABSENT:
        return f"`{name}` was removed" if name else "was removed"
    return f"{name} {_short(before)} → {_short(after)}".strip()


def _find(recorded: object, current: object, path: tuple[str, ...]) -> tuple[tuple[str, ...], object, object]:
    if isinstance(recorded, dict) and isinstance(current, dict):
        for key in sorted(recorded.keys() | current.keys()):
            before, after = recorded.get(key, _ABSENT), current.get(key, _ABSENT)
            if before is _ABSENT or after is _ABSENT or canonical_text(before) != canonical_text(after):
                return _find(before, after, (*path, str(key)))
    if isinstance(recorded, list) and isinstance(current, list):
        for position in range(min(len(recorded), len(current))):
            if canonical_text(recorded[position]) != canonical_text(current[position]):
                return _find(recorded[position], current[position], (*path, str(position + 1)))
    return path, recorded, current


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
