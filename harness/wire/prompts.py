"""Finds the plain text in the content of a message, and the system prompt before a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.wire.media import describe_content

__all__ = ["SYSTEM_ROLES", "TEXT_PARTS", "SystemText", "join_text", "read_system_blocks", "take_system_prompt"]

SYSTEM_ROLES = ("system", "developer")
TEXT_PARTS = ("text", "input_text", "output_text")
"""The types of content parts that are text."""


@dataclass(frozen=True, slots=True)
class SystemText:
    """A system prompt as text."""

    text: str = ""
    """The parts joined by an empty line."""
    marks: tuple[JsonValue, ...] = ()
    """What is said beside the text, such as roles or cache marks; empty for one plain system message."""


def take_system_prompt(items: Sequence[JsonValue]) -> tuple[SystemText, list[JsonValue]]:
    """Part the leading system and developer messages from the conversation."""
    texts: list[str] = []
    marks: list[JsonValue] = []
    for item in items:
        text = _system_text(item)
        if text is None:
            break
        texts.append(text)
        marks.append(_without(item, "content"))
    plain = marks in ([], [{"role": "system"}])
    return SystemText("\n\n".join(texts), () if plain else tuple(marks)), list(items[len(texts) :])


def read_system_blocks(given: JsonValue) -> SystemText:
    """The system prompt where a field of its own holds it, as text or as text blocks."""
    if isinstance(given, str):
        return SystemText(given)
    if not isinstance(given, list):
        return SystemText()
    marks = [_without(block, "text") for block in given]
    text = "\n\n".join(str(block.get("text", "")) for block in given if isinstance(block, dict))
    return SystemText(text, () if marks == [{"type": "text"}] else tuple(marks))


def join_text(content: JsonValue, separator: str) -> str:
    """The text of a message's content. Other content stands in brackets: ``[image/png, 2,048 bytes]``."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return ""
    return separator.join(_part_text(part) for part in content)


def _part_text(part: JsonValue) -> str:
    if not isinstance(part, dict):
        return str(part)
    return str(part.get("text", "")) if part.get("type") in TEXT_PARTS else describe_content(part)


def _system_text(item: JsonValue) -> str | None:
    """The text of a system message; None where it is none, or holds more than text."""
    if not isinstance(item, dict) or item.get("role") not in SYSTEM_ROLES:
        return None
    content = item.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    only_text = all(isinstance(part, dict) and part.get("type") in TEXT_PARTS for part in content)
    return join_text(content, "\n\n") if only_text else None


def _without(item: JsonValue, key: str) -> JsonValue:
    return {name: value for name, value in item.items() if name != key} if isinstance(item, dict) else item
