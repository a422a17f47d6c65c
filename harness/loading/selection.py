"""Picks cases by name and tag, in pytest's own grammar."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.errors import BadInputError, Fault
from harness.records.scenario import Case

__all__ = ["select"]


def select(cases: Iterable[Case], *, keyword: str | None, tag: str | None) -> tuple[Case, ...]:
    """The cases that fit both expressions; none, or an empty one, fits all.

    ``keyword`` (``-k``) finds parts of a case's id or of its tags, in any case; ``tag`` (``-m``) finds whole tags.
    Raises :class:`BadInputError` for an expression that is none.
    """
    by_keyword, by_tag = _compile("-k", keyword), _compile("-m", tag)
    return tuple(case for case in cases if by_keyword(_has_part(case)) and by_tag(_has_tag(case)))


def _has_part(case: Case) -> Callable[[str], bool]:
    names = [case.id.lower(), *case.scenario.tags]
    return lambda word: any(word.lower() in name for name in names)


def _has_tag(case: Case) -> Callable[[str], bool]:
    return lambda word: word in case.scenario.tags


def _compile(option: str, text: str | None) -> Callable[[Callable[[str], bool]], bool]:
    if text is None or not text.strip():
        return lambda fits: True
    # private to pytest, but a second grammar of ours would be a second truth; late, since it imports much of pytest
    from _pytest.mark.expression import Expression

    example = "write words joined by `and`, `or`, `not`"
    try:
        expression = Expression.compile(text)
    except SyntaxError as error:
        what = f"{error.msg} at column {error.offset} of {text!r}; {example}"
        raise BadInputError([Fault(option, 0, 0, what)]) from error

    def evaluate(fits: Callable[[str], bool]) -> bool:
        def match(word: str, /, **arguments: str | int | bool | None) -> bool:
            if arguments:
                raise BadInputError([Fault(option, 0, 0, f"{word!r} takes no arguments in {text!r}; {example}")])
            return fits(word)

        return expression.evaluate(match)

    return evaluate
