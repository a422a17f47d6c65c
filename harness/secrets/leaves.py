"""The values in JSON text, each with its path and its place in the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.secrets.escapes import Span

__all__ = ["Leaf", "Path", "read_leaves"]

Path = tuple[str | int, ...]

_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"|([\[\]{},:])|([^\s\[\]{},:"]+)', re.DOTALL)
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text, a number or a word."""

    path: Path
    span: Span
    """For a text what stands between the quotes."""
    is_text: bool


def read_leaves(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Leaf]:
    """The leaves of JSON text in order. What is no JSON gives some leaves or none, never an error."""
    path: list[str | int] = []
    key_next = False
    for match in _TOKEN.finditer(data, start, len(data) if end is None else end):
        mark = match.group(2)
        if mark is None:
            group = 1 if match.group(1) is not None else 3
            if key_next and group == 1:
                path[-1] = match.group(1).decode("utf-8", "replace")
                key_next = False
            else:
                yield Leaf(tuple(path), match.span(group), group == 1)
        elif mark in b"{[":
            if len(path) == _DEEPEST:
                return
            path.append("" if mark == b"{" else 0)
            key_next = mark == b"{"
        elif mark in b"}]":
            if path:
                path.pop()
            key_next = False
        elif mark == b"," and path:
            last = path[-1]
            if isinstance(last, int):
                path[-1] = last + 1
            else:
                key_next = True
