"""Recognizes what git leaves in a file in place of its content."""

from __future__ import annotations

import re

from harness.errors import Fault

__all__ = ["left_by_git"]

_POINTER = b"version https://git-lfs.github.com/spec/v1"
_MARKER = re.compile(rb"^(?:<{7}|>{7}) [^\r\n]*", re.MULTILINE)
"""Only what stands in no text by chance: a line of seven ``=`` underlines a heading."""


def left_by_git(data: bytes, path: str) -> Fault | None:
    """Find a Git LFS pointer or the first merge-conflict marker in a file's content; None where there is neither.

    A parser would call either by another name, or take a marker within quotes for text. ``path``: what the fault calls
    the file.
    """
    if data.startswith(_POINTER):
        return Fault(path, 1, 0, "is a Git LFS pointer, not the file itself; run `git lfs pull`")
    if (found := _MARKER.search(data)) is None:
        return None
    line, marker = data.count(b"\n", 0, found.start()) + 1, found[0][:80].decode(errors="replace")
    return Fault(path, line, 0, f"holds a merge-conflict marker, {marker!r}; resolve the conflict")
