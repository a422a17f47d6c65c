"""Describes content that is not text: images, audio and files by media type and size, documents with their text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.wire.shapes import compact, object_at, text_at

__all__ = ["describe_content", "describe_media", "media_size", "without_media"]

_HOLDERS = ("source", "image_url", "input_audio", "file", "audio_url", "video_url", "inlineData", "inline_data")
"""Where the protocols keep what a content part is about, if not in the part itself."""
_DATA = ("data", "file_data", "b64_json")
_TYPES = ("media_type", "mimeType", "mime_type")
_PLACES = ("url", "image_url", "file_url", "fileUri", "file_uri")
_NAMES = ("filename", "title", "name")
_NOUNS = ("image", "screenshot", "audio", "video", "document")
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?:;[^;,]*)*?(?P<packed>;base64)?,", re.IGNORECASE)
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{512,}={0,2}")
"""Base64 of some length. Text has spaces."""
_MARKS = ("type", "cache_control", "citations", "prompt_cache_breakpoint")
"""Fields of a content part that are no content."""


def describe_content(part: JsonValue) -> str:
    """A part of a message's content as text: media in brackets, documents with their text, anything else as JSON."""
    if not isinstance(part, dict):
        return compact(part)
    if media := describe_media(part):
        return f"[{media}]"
    kind = text_at(part, "type")
    inner = part.get("content") or object_at(part, "source").get("data") or object_at(part, "source").get("content")
    if kind in ("document", "search_result") and inner:
        named = ", ".join(filter(None, (text_at(part, "title"), text_at(part, "source"), text_at(part, "context"))))
        return f"[{kind.replace('_', ' ')}{f': {named}' if named else ''}]\n{_plain_text(inner)}"
    if kind == "refusal":
        return text_at(part, "refusal")
    rest: JsonObject = {key: value for key, value in part.items() if key not in _MARKS and value is not None}
    shown = compact(without_media(rest)) if rest else ""
    return f"[{kind}]{shown and ' '}{shown}" if kind else shown


def describe_media(part: JsonObject) -> str:
    """Describe an image or a file: ``image/png, 2,048 bytes`` or ``image at https://…``; empty for other content."""
    fields = dict(part)
    for key in _HOLDERS:
        fields |= object_at(part, key)
    kind, name = text_at(part, "type"), _first(fields, _NAMES)
    noun = next((noun for noun in _NOUNS if noun in kind), "file")
    data, place, stored = _first(fields, _DATA), _first(fields, _PLACES), text_at(fields, "file_id")
    if packed := _describe_data_url(data) or _describe_data_url(place):
        return ", ".join(filter(None, (name, packed)))
    media_type = _first(fields, _TYPES) or _by_format(noun, text_at(fields, "format"))
    what = ", ".join(filter(None, (name, media_type or ("" if name else noun))))
    if data and media_type != "text/plain":
        return f"{what}, {media_size(data)}"
    if place and (noun != "file" or "file" in kind):
        return f"{what} at {place}"
    return f"{what}, stored as {stored}" if stored else ""


def without_media(value: JsonValue) -> JsonValue:
    """The same JSON with each image, audio or file in it replaced by its description."""
    if isinstance(value, list):
        return [without_media(item) for item in value]
    if isinstance(value, dict):
        if _first(value, _TYPES) and isinstance(value.get("data"), str) and describe_media(value):
            return f"[{describe_media(value)}]"
        return {key: without_media(item) for key, item in value.items()}
    if isinstance(value, str):
        if packed := _describe_data_url(value):
            return f"[{packed}]"
        if _PACKED.fullmatch(value):
            return f"[{media_size(value)} in base64]"
    return value


def _describe_data_url(url: str) -> str:
    """The media type and size of a ``data:`` URL; empty for any other text."""
    found = _DATA_URL.match(url)
    if found is None:
        return ""
    data = url[found.end() :]
    size = media_size(data) if found["packed"] else _bytes(len(unquote_to_bytes(data)))
    return f"{found['type'] or 'text/plain'}, {size}"


def _plain_text(content: JsonValue) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "\n".join(
        text_at(part, "text") if text_at(part, "type") == "text" else describe_content(part) for part in parts
    )


def _first(fields: JsonObject, keys: Iterable[str]) -> str:
    return next((text for key in keys if (text := text_at(fields, key))), "")


def _by_format(noun: str, form: str) -> str:
    return f"{noun}/{form}" if form and noun in ("audio", "image", "video") else ""


def media_size(packed: str) -> str:
    """Count the bytes that a text in base64 stands for."""
    return _bytes(len(packed.rstrip("=")) * 3 // 4)


def _bytes(number: int) -> str:
    return f"{number:,} byte{'' if number == 1 else 's'}"
