"""Text that a stream brings in pieces, put together again.

A model's words and its tool's arguments arrive a few letters at a time, each in a JSON object of its own, so that no
line of the body holds a whole secret. Which pieces belong together is read off the objects: the same path, and the same
numbers and ids beside it. That is so in every protocol that streams JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from harness.secrets.escapes import Span
from harness.secrets.leaves import Leaf, Path, read_leaves

__all__ = ["STREAMED_LINE", "joined_texts"]

STREAMED_LINE = re.compile(rb"^[ \t]*(?:data:[ \t]*)?(?=\{)([^\r\n]*)", re.MULTILINE)
"""A line of a stream that holds a JSON object, with or without the word before it."""
_TELLING = ("index", "output_index", "content_index", "summary_index", "item_id")
"""What tells apart two texts under one path, at any depth; an object's type does so at the top only."""
_CONSTANT = {"id", "item_id", "model", "object", "obfuscation", "signature", "system_fingerprint", "type"}
"""What is no piece of anything, though it comes again and again."""


def joined_texts(body: bytes) -> Iterator[list[Span]]:
    """Where the pieces of each text stand that comes in several. Nothing where the body is no such stream."""
    pieces: dict[object, list[Span]] = {}
    for leaves in _objects(body):
        told = {
            leaf.path: body[slice(*leaf.span)] for leaf in leaves if leaf.path[-1] in _TELLING or leaf.path == ("type",)
        }
        for leaf in leaves:
            if leaf.is_text and leaf.path[-1] not in _CONSTANT and leaf.span[0] < leaf.span[1]:
                pieces.setdefault(_identity(leaf, told), []).append(leaf.span)
    return (spans for spans in pieces.values() if len(spans) > 1)


def _objects(body: bytes) -> Iterator[list[Leaf]]:
    """The leaves of each object of a stream: one a line, or the items of one list, as Gemini streams them."""
    if body[:64].lstrip().startswith(b"["):
        for _, leaves in groupby(read_leaves(body), key=lambda leaf: leaf.path[:1]):
            yield [replace(leaf, path=leaf.path[1:]) for leaf in leaves if len(leaf.path) > 1]
    else:
        for line in STREAMED_LINE.finditer(body):
            yield [leaf for leaf in read_leaves(body, *line.span(1)) if leaf.path]


def _identity(leaf: Leaf, told: dict[Path, bytes]) -> object:
    """What all pieces of one text have in common."""
    path = leaf.path
    beside = [(0, "type", told.get(("type",), b""))]
    for depth in range(len(path)):
        for name in _TELLING:
            value = told.get((*path[:depth], name))
            if value is not None:
                beside.append((depth, name, value))
    numbered = {depth for depth, name, _ in beside if name == "index"}
    steps = tuple(-1 if isinstance(step, int) and place + 1 in numbered else step for place, step in enumerate(path))
    return steps, tuple(sorted(beside))
