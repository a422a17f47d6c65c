"""Reads what a tool's docstring tells the model: the tool's description and its parameters'."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

__all__ = ["read_docstring"]

_SECTION = re.compile(r"(Args|Arguments|Parameters):\s*")
_ITEM = re.compile(r"(?P<indent>\s+)\*{0,2}(?P<name>\w+)(?:\s*\([^)]*\))?:\s*(?P<text>.*)")
_FIELD = re.compile(r":param\s+(?:[^:]*\s)?(?P<name>\w+):\s*(?P<text>.*)")
_OTHER_FIELD = re.compile(r":(type|return|returns|rtype|raise|raises)\b.*")


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The description without its parameter part, and each parameter's text on one line.

    An ``Args:`` section and ``:param name:`` fields are understood.
    """
    kept: list[str] = []
    found: dict[str, list[str]] = {}
    item: list[str] | None = None
    item_indent: int | None = None
    in_section = False
    for line in (inspect.getdoc(function) or "").splitlines():
        indent = len(line) - len(line.lstrip())
        if _SECTION.fullmatch(line):
            in_section, item, item_indent = True, None, None
        elif (field := _FIELD.match(line)) is not None:
            in_section, item = False, found.setdefault(field["name"], [field["text"]])
            item_indent = 0
        elif in_section and (not line.strip() or indent):
            entry = _ITEM.fullmatch(line)
            if entry is not None and item_indent in (None, indent):
                item, item_indent = found.setdefault(entry["name"], [entry["text"]]), indent
            elif item is not None:
                item.append(line.strip())
        elif item is not None and not in_section and indent:
            item.append(line.strip())
        else:
            in_section, item = False, None
            kept.append("" if _OTHER_FIELD.fullmatch(line) else line)
    description = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return description, {name: " ".join(" ".join(lines).split()) for name, lines in found.items()}
