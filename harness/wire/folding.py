"""The sum of a stream's events, however far it came."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from harness.errors import ProviderError
from harness.records.base import JsonObject
from harness.records.json_text import read_json
from harness.wire.failures import broken_reply

__all__ = ["Folded", "cut_call", "cut_short", "is_whole", "join_pieces"]

_NOT_JOINED = {"created", "expires_at", "format", "id", "index", "object", "role", "signature", "type"}
"""Fields that a later piece repeats or replaces; texts under all other names are joined."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The reply that a stream's events add up to."""

    body: JsonObject
    """As far as it arrived, in the form that ``read_reply`` takes."""
    broken: ProviderError | None = None
    """Why this is not the whole reply: an error inside the stream, or an end before its last frame."""
    unread: tuple[str, ...] = ()
    """What arrived and can't be read, such as a call whose arguments are cut short."""

    def whole(self) -> JsonObject:
        """The body. Raises what broke the stream."""
        if self.broken is not None:
            raise self.broken
        return self.body


def cut_short() -> ProviderError:
    """The error for a stream that ends too early."""
    return broken_reply("the stream ends before its last frame")


def cut_call(name: str, arguments: str) -> str:
    """The note on a call that had begun to arrive."""
    arrived = f": {arguments}" if arguments else ""
    return f"a call of `{name or 'an unnamed tool'}` whose arguments had not all arrived{arrived}"


def is_whole(arguments: str) -> bool:
    """Tell whether arguments are complete: a closed JSON object."""
    try:
        return isinstance(read_json(arguments), dict)
    except (ValueError, RecursionError):
        return False


def join_pieces(holder: JsonObject, delta: JsonObject) -> None:
    """Add a piece of an object to the pieces before it: texts and lists are joined, objects in the same way."""
    for key, piece in delta.items():
        if piece is not None:
            holder[key] = _joined(holder.get(key), piece, key)


def _joined(before: JsonValue, piece: JsonValue, key: str) -> JsonValue:
    if isinstance(before, str) and isinstance(piece, str) and key not in _NOT_JOINED:
        return before + piece
    if isinstance(before, list) and isinstance(piece, list):
        return [*before, *piece]
    if isinstance(before, str) and before and isinstance(piece, list):
        return [{"type": "text", "text": before}, *piece]
    if isinstance(before, list) and isinstance(piece, str):
        return [*before, {"type": "text", "text": piece}]
    if isinstance(before, dict) and isinstance(piece, dict):
        joined = dict(before)
        join_pieces(joined, piece)
        return joined
    return piece
