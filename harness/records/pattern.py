"""Regular expressions that come from files: compiled once to see that they can be, and kept within bounds."""

from __future__ import annotations

import math
import re

import regex

__all__ = ["check_pattern"]

_MOST_CHARACTERS = 1_000
_MOST_REPEATS = 100_000
"""``a{1000000000}`` takes gigabytes to compile: the counts of a pattern, multiplied, stay below this."""

_COUNT = re.compile(r"\{([\d,]*)\}")
_VERBOSE = re.compile(r"\(\?[\w-]*x")


def check_pattern(pattern: str) -> str:
    """The pattern as it stands, after it was found to compile. Raises :class:`ValueError` with what to do."""
    if len(pattern) > _MOST_CHARACTERS:
        raise ValueError(f"is a pattern of {len(pattern)} characters; keep it below {_MOST_CHARACTERS}")
    if _VERBOSE.search(pattern):
        # in verbose mode blanks and comments may split a count, which would hide it from the bound below
        raise ValueError(f"{pattern!r} turns on verbose mode; leave the flag `x` out")
    if math.prod(map(_most, _COUNT.findall(pattern))) > _MOST_REPEATS:
        raise ValueError(f"{pattern!r} repeats more than {_MOST_REPEATS} times; lower the counts in braces")
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}; mend it") from error
    except RecursionError as error:
        raise ValueError(f"{pattern[:20]!r}… nests too deep; simplify it") from error
    return pattern


def _most(counts: str) -> int:
    # int() refuses thousands of digits, and no count of more than nine is within bounds
    return max((int(count[:10]) for count in counts.split(",") if count), default=1) or 1
