"""The author's longer texts, prompts and rubrics: Markdown files beside a scenario or above it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.errors import BadInputError, Fault
from harness.records.base import NAME_PATTERN

__all__ = ["read_text"]

_PART = re.compile(NAME_PATTERN.removesuffix("$"))


def read_text(kind: str, name: str, *, folder: Path, root: Path) -> str:
    """The text of ``KIND/NAME.md`` in a folder, or in the nearest one above it up to the root.

    Raises :class:`BadInputError` where there is none, the name could lead elsewhere, or the file is no UTF-8 text.
    """
    place = f"{kind}/{name}.md"
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        what = f"{name!r} names no text: use lower-case letters, digits, `.`, `_`, `-`, and `/` between folders"
        raise BadInputError([Fault(kind, 0, 0, what)])
    for above in (folder, *folder.parents):
        if not above.is_relative_to(root):
            break
        file = above / place
        # unlike Path.resolve, realpath does not raise on a link that leads to itself
        if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(root)):
            raise BadInputError([Fault(place, 0, 0, f"leads out of {root.name}/ by a link; put the file itself here")])
        if file.is_file():
            return _decode(file, place)
    shown = folder.relative_to(root.parent) if folder.is_relative_to(root) else folder
    raise BadInputError([Fault(place, 0, 0, f"no such file in {shown} or above it; write it")])


def _decode(file: Path, place: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadInputError([Fault(place, line, 0, "is not UTF-8; save the file as UTF-8")]) from error
    except OSError as error:
        raise BadInputError([Fault(place, 0, 0, f"can't be read: {error.strerror}; mend its permissions")]) from error
