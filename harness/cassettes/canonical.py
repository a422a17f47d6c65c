"""Requests in the form that decides whether two of them are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from pydantic import JsonValue

from harness.records.exchange import HttpRequest
from harness.wire.split import api_of

__all__ = ["canonical_key", "canonical_text", "drop_paths", "place_of", "raw_key", "rename_ids"]

_VOLATILE_QUERY = {"beta"}
_LINKS = ("call_id", "tool_call_id", "tool_use_id")
_MINTED_BLOCKS = ("tool_use", "server_tool_use", "mcp_tool_use")


def raw_key(request: HttpRequest) -> bytes:
    """A digest of where a request goes and of its body's bytes."""
    return _digest(place_of(request), request.body)


def canonical_key(request: HttpRequest, volatile: Sequence[str]) -> bytes:
    """A digest of where a request goes and of what its body says.

    Keys are sorted, the order of tools plays no part, ids that are minted in each run are numbered by their first
    appearance, and what stands at a volatile path is left out. A body that is no JSON object counts byte for byte.
    """
    try:
        data = json.loads(request.body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return raw_key(request)
    drop_paths(data, volatile)
    if isinstance(data.get("tools"), list):
        data["tools"] = sorted(data["tools"], key=canonical_text)
    if api_of(urlsplit(request.uri).path) is not None:
        for field in ("messages", "input"):
            if isinstance(data.get(field), list):
                data[field] = rename_ids(data[field])
    return _digest(place_of(request), b"json:" + canonical_text(data).encode())


def canonical_text(value: JsonValue) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def place_of(request: HttpRequest) -> str:
    """Where a request goes: method, path and query, and for an API that we don't know its host as well.

    A model is recorded at a gateway or on a loopback port, and replayed anywhere.
    """
    parts = urlsplit(request.uri)
    query = sorted(pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in _VOLATILE_QUERY)
    host = "" if api_of(parts.path) else f"{parts.scheme}://{parts.netloc}"
    return json.dumps([request.method.upper(), host, parts.path or "/", query])


def drop_paths(data: JsonValue, paths: Sequence[str]) -> None:
    """Remove what stands at dotted paths, in place; ``*`` is every item of a list or object."""
    for path in paths:
        _drop(data, path.split("."))


def rename_ids(items: Sequence[JsonValue]) -> list[JsonValue]:
    """The items of a conversation with their minted ids numbered by first appearance; arguments are left alone."""
    names: dict[str, str] = {}
    return [_rename_item(item, names) if isinstance(item, dict) else item for item in items]


def _rename_item(item: dict[str, JsonValue], names: dict[str, str]) -> JsonValue:
    renamed = dict(item)
    kind = str(item.get("type", ""))
    minted = item.get("role") == "assistant" or kind == "reasoning" or kind.endswith("_call")
    if minted or (kind == "item_reference" and item.get("id") in names):
        _rename(renamed, "id", names)
    for key in _LINKS:
        _rename(renamed, key, names)
    for field, has_id in (("tool_calls", True), ("content", False)):
        parts = item.get(field)
        if isinstance(parts, list):
            renamed[field] = [_rename_part(part, names, has_id) if isinstance(part, dict) else part for part in parts]
    return renamed


def _rename_part(part: dict[str, JsonValue], names: dict[str, str], has_id: bool) -> JsonValue:
    renamed = dict(part)
    if has_id or part.get("type") in _MINTED_BLOCKS:
        _rename(renamed, "id", names)
    _rename(renamed, "tool_use_id", names)
    return renamed


def _rename(holder: dict[str, JsonValue], key: str, names: dict[str, str]) -> None:
    value = holder.get(key)
    if isinstance(value, str):
        holder[key] = names.setdefault(value, f"\0{len(names) + 1}")


def _drop(data: JsonValue, path: list[str]) -> None:
    key, rest = path[0], path[1:]
    if isinstance(data, dict):
        if not rest:
            data.pop(key, None)
        for name in list(data) if key == "*" else [key] if key in data else []:
            _drop(data[name], rest) if rest else data.pop(name, None)
    elif isinstance(data, list) and key == "*" and rest:
        for item in data:
            _drop(item, rest)


def _digest(place: str, body: bytes) -> bytes:
    state = hashlib.blake2b(place.encode(), digest_size=16)
    state.update(b"\0")
    state.update(body)
    return state.digest()
