"""Gives the parts of a reply in the order in which the model wrote them, for each protocol.

There are none where text followed by tool calls is all. Content of a type that is not known here is a part of the kind
``unread``, since SDKs hand it to agents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.message import Part, PartKind, ToolCall
from harness.wire.client_items import client_call
from harness.wire.media import describe_media, media_size
from harness.wire.notes import describe_note, describe_source
from harness.wire.prompts import TEXT_PARTS
from harness.wire.provider_tools import generated_image, is_provider_tool, is_result, result_text, tool_name
from harness.wire.shapes import compact, items_at, object_at, objects_at, text_at

__all__ = ["anthropic_parts", "chat_calls", "chat_parts", "responses_parts"]

_FLAT_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Where servers of Chat Completions put reasoning: DeepSeek and vLLM, OpenRouter and Groq, Ollama."""
_LISTED_THOUGHTS = ("reasoning_details", "thinking_blocks")
"""The same as a list: OpenRouter, LiteLLM."""
_BESIDE_TEXT = (*_FLAT_THOUGHTS, *_LISTED_THOUGHTS, "annotations", "audio", "images", "refusal")
_THOUGHT_TEXTS = ("text", "summary", "thinking")


def chat_parts(message: JsonObject) -> tuple[Part, ...]:
    """The parts of a Chat Completions message: thoughts, text, sources, refusal, media, then tool calls."""
    if not isinstance(message.get("content"), list) and not any(message.get(key) for key in _BESIDE_TEXT):
        return ()  # as nearly all messages, and each request repeats them
    parts = [*_chat_thoughts(message), *_content_parts(message.get("content"))]
    parts += _notes_on(objects_at(message, "annotations"))
    if refusal := text_at(message, "refusal"):
        parts.append(Part(kind=PartKind.REFUSAL, text=refusal))
    if audio := object_at(message, "audio"):
        parts.append(_audio(audio))
    parts += (_media(image) for image in objects_at(message, "images"))
    parts += (Part(kind=PartKind.TOOL_CALL, text=call.name, call_id=call.id) for call in chat_calls(message))
    return _unless_plain(parts)


def chat_calls(message: JsonValue) -> tuple[ToolCall, ...]:
    """The tool calls of a Chat Completions message, of whatever type has a name, and the one call of the old API."""
    named = [(text_at(call, "id"), _named_part(call)) for call in objects_at(message, "tool_calls")]
    named.append(("", object_at(message, "function_call")))
    return tuple(
        ToolCall(id=key, name=text_at(inner, "name"), arguments=_arguments(inner))
        for key, inner in named
        if text_at(inner, "name")
    )


def _named_part(call: JsonObject) -> JsonObject:
    """The part of a call that holds its name, under its type."""
    kinds = (text_at(call, "type"), "function", "custom")
    return next((inner for kind in kinds if (inner := object_at(call, kind))), {})


def _arguments(inner: JsonObject) -> str:
    given = inner.get("arguments", inner.get("input"))
    if isinstance(given, str) or given is None:
        return given or ""
    return compact(given)  # some servers send them as an object


def responses_parts(items: Sequence[JsonValue]) -> tuple[Part, ...]:
    """The parts of Responses items: a reply's output, or what a request repeats of it."""
    return _read_each(items, _responses_item)


def anthropic_parts(blocks: Sequence[JsonValue]) -> tuple[Part, ...]:
    """The parts of Anthropic content blocks."""
    return _read_each(blocks, _anthropic_block)


def _read_each(items: Sequence[JsonValue], read: Callable[[JsonObject], Iterator[Part]]) -> tuple[Part, ...]:
    """The parts of all items. What a provider's tool gave back stands with its call, where that is here too."""
    calls = [item for item in items if isinstance(item, dict) and is_provider_tool(item)]
    known = {text_at(call, key) for call in calls for key in ("id", "call_id")}
    parts: list[Part] = []
    for item in items:
        if not isinstance(item, dict):
            parts.append(_unread(item))
        elif not is_result(item):
            parts += read(item)
        elif (answered := text_at(item, "tool_use_id") or text_at(item, "call_id")) not in known:
            parts.append(_note(f"result of {answered}: {result_text(item)}"))
    return _unless_plain(parts)


def _unless_plain(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts that say anything; none where they are texts, then tool calls."""
    told = [part for part in parts if part.text or part.kind is not PartKind.TEXT]
    kinds = [part.kind for part in told]
    texts = kinds.count(PartKind.TEXT)
    plain = kinds == [PartKind.TEXT] * texts + [PartKind.TOOL_CALL] * (len(kinds) - texts)
    return () if plain else tuple(told)


def _chat_thoughts(message: JsonObject) -> Iterator[Part]:
    """Each thought once: servers repeat in a list what stands in one text."""
    flat = dict.fromkeys(text for key in _FLAT_THOUGHTS if (text := text_at(message, key)))
    yield from map(_thought, flat)
    listed = next((found for key in _LISTED_THOUGHTS if (found := objects_at(message, key))), [])
    yield from (_thought(text) for text in _joined(listed) if not text or not any(text in whole for whole in flat))


def _joined(details: Iterable[JsonObject]) -> list[str]:
    """The texts of listed thoughts, a stream's pieces of one put together; empty for one that is encrypted."""
    texts: dict[tuple[str, object], str] = {}
    for number, detail in enumerate(details):
        key = text_at(detail, "type"), detail.get("index", f"entry {number}")
        text = next((said for name in _THOUGHT_TEXTS if (said := text_at(detail, name))), "")
        texts[key] = texts.get(key, "") + text
    return list(texts.values())


def _content_parts(content: JsonValue) -> Iterator[Part]:
    if isinstance(content, str):
        yield Part(kind=PartKind.TEXT, text=content)
    elif isinstance(content, list):
        for part in content:
            yield from _content_part(part)


def _content_part(part: JsonValue) -> Iterator[Part]:
    """A part of a message's content, in either protocol of OpenAI."""
    kind = text_at(part, "type")
    if not isinstance(part, dict):
        yield _unread(part)
    elif kind in TEXT_PARTS:
        yield Part(kind=PartKind.TEXT, text=text_at(part, "text"))
        yield from _notes_on(objects_at(part, "annotations"))
    elif kind == "refusal":
        yield Part(kind=PartKind.REFUSAL, text=text_at(part, "refusal"))
    elif kind == "thinking":  # Mistral's holds parts of its own
        yield _thought(text_at(part, kind) or "".join(text_at(piece, "text") for piece in items_at(part, kind)))
    elif kind == "output_audio":
        yield _audio(part)
    elif describe_media(part):
        yield _media(part)
    else:
        yield _unread(part)


def _responses_item(item: JsonObject) -> Iterator[Part]:
    kind = text_at(item, "type")
    if kind in ("", "message") and "content" in item:
        yield from _content_parts(item["content"])
    elif kind == "reasoning":
        texts = [text_at(part, "text") for key in ("summary", "content") for part in objects_at(item, key)]
        yield from map(_thought, list(filter(None, texts)) or [""])
    elif is_provider_tool(item):
        yield Part(kind=PartKind.PROVIDER_TOOL, text=tool_name(item), call_id=text_at(item, "id"))
        if image := generated_image(item):
            yield Part(kind=PartKind.MEDIA, text=image)
    elif call := client_call(item):
        yield Part(kind=PartKind.TOOL_CALL, text=call.name, call_id=call.id)
    elif note := describe_note(item):
        yield _note(note)
    else:
        yield _unread(item)


def _anthropic_block(block: JsonObject) -> Iterator[Part]:
    kind = text_at(block, "type")
    if kind == "text":
        yield Part(kind=PartKind.TEXT, text=text_at(block, "text"))
        yield from _notes_on(objects_at(block, "citations"))
    elif kind in ("thinking", "redacted_thinking"):
        yield _thought(text_at(block, "thinking"))
    elif kind == "tool_use":
        yield Part(kind=PartKind.TOOL_CALL, text=text_at(block, "name"), call_id=text_at(block, "id"))
    elif is_provider_tool(block):
        yield Part(kind=PartKind.PROVIDER_TOOL, text=text_at(block, "name"), call_id=text_at(block, "id"))
    elif note := describe_note(block):
        yield _note(note)
    elif describe_media(block):
        yield _media(block)
    else:
        yield _unread(block)


def _thought(text: str) -> Part:
    return Part(kind=PartKind.THOUGHT, text=text)


def _media(part: JsonObject) -> Part:
    return Part(kind=PartKind.MEDIA, text=describe_media(part) or "media")


def _audio(audio: JsonObject) -> Part:
    size, said = media_size(text_at(audio, "data")), text_at(audio, "transcript")
    return Part(kind=PartKind.MEDIA, text=f"audio, {size}{f': {said}' if said else ''}")


def _note(text: str) -> Part:
    return Part(kind=PartKind.NOTE, text=text)


def _notes_on(annotations: Iterable[JsonObject]) -> Iterator[Part]:
    """Describe what a text refers to, each source once."""
    return map(_note, dict.fromkeys(map(describe_source, annotations)))


def _unread(item: JsonValue) -> Part:
    named = text_at(item, "type") if isinstance(item, dict) else compact(item)
    return Part(kind=PartKind.UNREAD, text=named or "content without a type")
