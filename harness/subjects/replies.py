"""Finds the answer in what an HTTP endpoint says: JSON, or a stream of events."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.errors import ProviderError, SubjectError
from harness.wire.sse import is_event_stream, read_sse

__all__ = ["is_last", "read_reply"]

_DONE = re.compile(rb"(?:\A|\n)data: ?\[DONE\]")
_LONG = 300


def is_last(body: bytearray) -> bool:
    """Whether the event that ends a stream has come."""
    return _DONE.search(body, max(0, len(body) - 65_600)) is not None


def read_reply(content_type: str, body: bytes, path: str) -> Any:
    """What stands at the dotted path; of a stream of events the texts that stand there, joined.

    An empty path takes all of a JSON reply. Raises :class:`SubjectError` where nothing stands there.
    """
    if is_event_stream(content_type, body):
        return _read_events(body, path)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SubjectError(f"the server's answer is no JSON ({content_type}): {_clip(body)}") from error
    found, value = _find(data, path)
    if not found:
        raise SubjectError(f"the server's answer has no `{path}`: {_clip(body)}")
    return value


def _read_events(body: bytes, path: str) -> str:
    try:
        events = read_sse(body)
    except ProviderError as error:  # not a provider's: the server's own
        raise SubjectError(f"the server's answer is no stream of JSON objects: {error}") from error
    pieces = []
    for event in events:
        found, value = _find(event, path)
        if found and isinstance(value, str):
            pieces.append(value)
        elif event.get("error"):
            raise SubjectError(f"the server's stream reports an error: {json.dumps(event, ensure_ascii=False)[:_LONG]}")
    if not pieces:
        raise SubjectError(f"no event of the server's answer has text at `{path}`: {_clip(body)}")
    return "".join(pieces)


def _find(data: Any, path: str) -> tuple[bool, Any]:
    for part in path.split(".") if path else ():
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return False, None
    return True, data


def _clip(body: bytes) -> str:
    text = body.decode(errors="replace").strip()
    return f"{text[:_LONG]!r}{' …' if len(text) > _LONG else ''}" if text else "it is empty"
