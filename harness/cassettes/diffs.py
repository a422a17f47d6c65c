"""Every place in which two texts, or two values, differ: one line each side, with its number or its path."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from itertools import islice

from pydantic import JsonValue

from harness.cassettes.canonical import canonical_text
from harness.records.base import JsonObject

__all__ = ["diff_texts", "diff_values"]

_LONGEST = 200
"""Lines that are kept of one difference."""
_WIDEST = 400
"""Characters that are kept of one line."""
_PAIRS = 1_000_000
"""Above this many pairs of lines the middle is shown whole: alignment takes quadratic time."""


def diff_texts(before: str, after: str) -> tuple[str, ...]:
    """The differing lines, ``-`` as recorded and ``+`` as they are now, each with the number that it has there.

    One equal line stands around each place, and ``…`` between places.
    """
    return _bounded(_text_lines(before, after)) if before != after else ()


def diff_values(before: JsonValue, after: JsonValue) -> tuple[str, ...]:
    """The differing places of two values by their dotted paths, ``-`` as recorded and ``+`` as they are now."""
    return _bounded(_value_lines(before, after, ()))


def _bounded(lines: Iterator[str]) -> tuple[str, ...]:
    kept = [line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…" for line in islice(lines, _LONGEST)]
    more = sum(1 for _ in lines)
    return (*kept, f"… {more} more lines") if more else tuple(kept)


def _text_lines(before: str, after: str) -> Iterator[str]:
    old, new = before.splitlines(), after.splitlines()
    if old == new:  # line ends, or a last one
        yield f"- {before[-40:]!r}"
        yield f"+ {after[-40:]!r}"
        return
    for number, group in enumerate(_groups(old, new)):
        if number:
            yield "…"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _numbered(" ", new[j1:j2], j1)
            else:
                yield from _numbered("-", old[i1:i2], i1)
                yield from _numbered("+", new[j1:j2], j1)


def _groups(old: Sequence[str], new: Sequence[str]) -> Iterator[Sequence[tuple[str, int, int, int, int]]]:
    if len(old) * len(new) > _PAIRS:
        start = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        rest = list(zip(reversed(old[start:]), reversed(new[start:]), strict=False))
        end = next((n for n, (a, b) in enumerate(rest) if a != b), len(rest))
        yield [("replace", start, len(old) - end, start, len(new) - end)]
        return
    yield from difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(1)


def _numbered(sign: str, lines: Sequence[str], start: int) -> Iterator[str]:
    return (f"{sign}{number:>4}  {line}" for number, line in enumerate(lines, start + 1))


def _value_lines(before: object, after: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _object_lines(before, after, path)
    elif _is_listing(before) and _is_listing(after):
        assert isinstance(before, list)
        assert isinstance(after, list)
        for number in range(max(len(before), len(after))):
            old, new = (side[number] if number < len(side) else _ABSENT for side in (before, after))
            yield from _differing(old, new, (*path, str(number + 1)))
    elif isinstance(before, str) and isinstance(after, str) and ("\n" in before or "\n" in after):
        yield f"  {'.'.join(path)}" if path else "  text"
        yield from _text_lines(before, after)
    else:
        place = f"{'.'.join(path)}: " if path else ""
        yield from (
            f"{sign} {place}{_shown(value)}" for sign, value in (("-", before), ("+", after)) if value is not _ABSENT
        )


_ABSENT = object()


def _object_lines(before: JsonObject, after: JsonObject, path: tuple[str, ...]) -> Iterator[str]:
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _differing(before.get(key, _ABSENT), after.get(key, _ABSENT), (*path, key))


def _differing(old: object, new: object, path: tuple[str, ...]) -> Iterator[str]:
    if old is _ABSENT or new is _ABSENT or canonical_text(old) != canonical_text(new):  # type: ignore[arg-type]
        yield from _value_lines(old, new, path)


def _is_listing(value: object) -> bool:
    """Whether a list is worth a look inside: one of plain words, such as `required`, is shown whole."""
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
