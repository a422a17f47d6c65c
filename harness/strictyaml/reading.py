"""From a file to its document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import BadInputError, Fault
from harness.git import left_by_git
from harness.strictyaml.document import Document, Node, Place, read_document

__all__ = ["Places", "read_file", "read_yaml"]

_MOST_BYTES = 1_000_000

Places = dict[tuple[str | int, ...], Place]
"""The place of each value, or of its key where it has one, by the path in the data."""


def read_file(file: Path, name: str) -> Document:
    """The document of a file, with its faults.

    ``name`` is what faults call the file. Raises :class:`BadInputError` where it can't be read at all.
    """
    return read_document(_read_text(file, name))


def read_yaml(path: Path, name: str | None = None) -> tuple[Any, Places]:
    """The plain data of a file, and the place of each value by its path in the data.

    ``name`` is what faults call the file; its path without one. Raises :class:`BadInputError` with every fault, each
    ``file:line:column``, where the file can't be read or isn't strict YAML.
    """
    name = name or str(path)
    document = read_file(path, name)
    if document.root is None or document.faults:
        raise BadInputError(Fault(name, *place, what) for place, what in document.faults.items())
    return document.root.value, dict(_places(document.root))


def _read_text(file: Path, name: str) -> str:
    try:
        # a pipe or a device would never end
        if file.exists() and not file.is_file():
            raise BadInputError([Fault(name, 0, 0, "is no regular file; put one here")])
        with file.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        size = file.stat().st_size
    except OSError as error:
        raise BadInputError([Fault(name, 0, 0, f"can't be read ({error.strerror}); check the path")]) from None
    if len(raw) > _MOST_BYTES:
        raise BadInputError([Fault(name, 0, 0, f"has {size} bytes; split it below {_MOST_BYTES}")])
    if (fault := left_by_git(raw, name)) is not None:
        raise BadInputError([fault])
    try:
        # some editors begin a file with a byte order mark
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise BadInputError([Fault(name, line, column, "is not UTF-8; save it as UTF-8")]) from None


def _places(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Place]]:
    if not path:
        yield path, node.place
    for part, below in node.parts.items():
        yield (*path, part), node.keys[part] if isinstance(part, str) else below.place
        yield from _places(below, (*path, part))
