"""The places in requests and replies of the three protocols where a tool's name stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.exchange import Chunk, HttpResponse

__all__ = ["named_in_request", "rename_calls"]

_CALLS = ("function_call", "custom_tool_call", "tool_use", "response.function_call_arguments.done")
_NO_CALLS = ("tools", "tool_choice", "tool_calls", "function_call", "instructions", "metadata")
"""Fields of a reply or a message in which no further call stands."""


def named_in_request(data: JsonObject) -> Iterator[JsonObject]:
    """Each object of a request whose ``name`` is that of a tool: definitions, choices, calls and results."""
    tools = data.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            inner = tool.get(str(tool.get("type")))
            yield from _if_named(inner if isinstance(inner, dict) else tool)
    yield from _every_named(data.get("tool_choice"))
    for field in ("messages", "input"):
        items = data.get(field)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and item.get("role") in ("tool", "function"):
                yield from _if_named(item)
        yield from _calls(items)


def rename_calls(response: HttpResponse, names: Mapping[str, str]) -> HttpResponse:
    """The reply with the tools that it calls under other names; chunks keep their times, and grow or shrink with it."""
    if not any(json.dumps(name).encode() in response.body for name in names):
        return response
    edits = list(_edits(response.body, names))
    if not edits:
        return response
    body = b""
    end = 0
    for start, stop, fresh in edits:
        body += response.body[end:start] + fresh
        end = stop
    body += response.body[end:]
    chunks = tuple(_moved_chunks(response.chunks, edits))
    return response.model_copy(update={"body": body, "chunks": chunks})


_Edit = tuple[int, int, bytes]
"""From where to where something else is to stand."""


def _edits(body: bytes, names: Mapping[str, str]) -> Iterator[_Edit]:
    if body.lstrip()[:1] == b"{":
        fresh = _renamed(body, names)
        if fresh is not None:
            yield 0, len(body), fresh
        return
    start = 0
    for line in body.splitlines(keepends=True):
        if line.startswith(b"data:"):
            text = line[5:].strip()
            fresh = _renamed(text, names)
            if fresh is not None:
                at = start + line.index(text)
                yield at, at + len(text), fresh
        start += len(line)


def _renamed(text: bytes, names: Mapping[str, str]) -> bytes | None:
    """JSON with its calls renamed; None where nothing is to be renamed, or it is no JSON."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    holders = [holder for holder in _calls(data) if holder["name"] in names]
    for holder in holders:
        holder["name"] = names[str(holder["name"])]
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() if holders else None


def _moved_chunks(chunks: tuple[Chunk, ...], edits: list[_Edit]) -> Iterator[Chunk]:
    """The chunks with their ends where the same places are now."""
    end = moved_end = 0
    for chunk in chunks:
        end += chunk.size
        moved = _moved(end, edits)
        if moved > moved_end:
            yield Chunk(size=moved - moved_end, at=chunk.at)
            moved_end = moved


def _moved(place: int, edits: list[_Edit]) -> int:
    shift = 0
    for start, stop, fresh in edits:
        if stop <= place:
            shift += len(fresh) - (stop - start)
        elif start < place:
            return start + shift + min(place - start, len(fresh))
    return place + shift


def _calls(value: JsonValue) -> Iterator[JsonObject]:
    """Each object in a conversation or a reply that says by ``name`` which tool the model calls."""
    if isinstance(value, list):
        for item in value:
            yield from _calls(item)
    elif isinstance(value, dict):
        if value.get("type") in _CALLS:
            yield from _if_named(value)
            return  # what stands in its arguments is no call
        calls = value.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield from (named for key in ("function", "custom") for named in _if_named(call.get(key)))
        yield from _if_named(value.get("function_call"))  # chat's early form
        for key, item in value.items():
            if key not in _NO_CALLS:
                yield from _calls(item)


def _every_named(value: JsonValue) -> Iterator[JsonObject]:
    if isinstance(value, list):
        for item in value:
            yield from _every_named(item)
    elif isinstance(value, dict):
        yield from _if_named(value)
        for item in value.values():
            yield from _every_named(item)


def _if_named(value: JsonValue) -> Iterator[JsonObject]:
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        yield value
