"""Lays a reply out piece by piece, where it is more than its text."""

from __future__ import annotations

from collections.abc import Iterator

from harness.records.base import Record
from harness.records.message import AssistantMessage, Part, PartKind
from harness.records.trace import ModelCall, ToolCalled
from harness.wire.provider_tools import provider_tools
from harness.wire.shapes import compact

__all__ = ["Piece", "pieces_of", "reply_pieces"]

_LABELS = {
    PartKind.TEXT: "",
    PartKind.THOUGHT: "thought",
    PartKind.REFUSAL: "refusal",
    PartKind.TOOL_CALL: "calls",
    PartKind.PROVIDER_TOOL: "tool at the provider",
    PartKind.MEDIA: "media",
    PartKind.UNREAD: "not read",
}
_WITHHELD = "withheld by the provider"
_TOOLS = (PartKind.TOOL_CALL, PartKind.PROVIDER_TOOL)


class Piece(Record):
    """One piece, ready to be laid out."""

    kind: PartKind
    label: str = ""
    """What it is, in a word or two; empty for the text of a reply."""
    text: str


def reply_pieces(call: ModelCall) -> tuple[Piece, ...]:
    """The pieces of a call's reply and of its further choices; none where its text is all.

    Tools have steps of their own, and are named here only where the reply goes on after them. Of a reply that broke off
    nothing else shows them.
    """
    pieces: list[Piece] = []
    if call.reply is not None:
        pieces += pieces_of(call.reply, whole=call.error is not None)
    if call.others and call.reply is not None and not pieces:
        pieces.append(Piece(kind=PartKind.TEXT, text=call.reply.text))
    for number, other in enumerate(call.others, 2):
        choice = f"choice {number}"
        pieces += (
            piece.model_copy(update={"label": f"{choice}, {piece.label}" if piece.label else choice})
            for piece in pieces_of(other, whole=True) or [Piece(kind=PartKind.TEXT, text=other.text)]
        )
    return tuple(pieces)


def pieces_of(message: AssistantMessage, *, whole: bool) -> tuple[Piece, ...]:
    """The pieces of a message; none where its text is all.

    ``whole`` asks for all tool calls with their arguments, and for what the provider's tools gave back.
    """
    parts = message.parts or _plain_parts(message)
    if not whole:
        while parts and parts[-1].kind in _TOOLS:
            parts = parts[:-1]
    if all(part.kind is PartKind.TEXT for part in parts):
        return ()
    ran = provider_tools(message, (), 0)
    texts = [_describe_call(part, message, ran) if whole and part.kind in _TOOLS else part.text for part in parts]
    return tuple(_piece(part.kind, text) for part, text in zip(parts, texts, strict=True))


def _piece(kind: PartKind, text: str) -> Piece:
    label, _, rest = text.partition(": ")
    if kind is PartKind.NOTE and rest:  # a note says itself what it is
        return Piece(kind=kind, label=label, text=rest)
    return Piece(kind=kind, label=_LABELS.get(kind, ""), text=text or _WITHHELD)


def _plain_parts(message: AssistantMessage) -> tuple[Part, ...]:
    said = [Part(kind=PartKind.TEXT, text=message.text)] if message.text else []
    return (*said, *(Part(kind=PartKind.TOOL_CALL, text=call.name, call_id=call.id) for call in message.tool_calls))


def _describe_call(part: Part, message: AssistantMessage, ran: Iterator[ToolCalled]) -> str:
    """A tool call with its arguments, and with its result where it ran at the provider."""
    if part.kind is PartKind.TOOL_CALL:
        made = (call for call in message.tool_calls if (call.id, call.name) == (part.call_id, part.text))
        return next((f"{call.name}({call.arguments})" for call in made), part.text)
    call = next(ran, None)
    if call is None:
        return part.text
    result = "" if call.result is None else f"\nresult: {call.result}"
    return f"{call.name}({compact(call.arguments)}){result}"
