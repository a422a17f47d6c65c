"""Drift on a terminal: each cause once with all that it is the cause of, then what mends it and what that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.errors import ExitCode
from harness.records.drift import Drift, DriftClass, Finding, Remedy, name_owner
from harness.records.message import Usage
from harness.reporting.lines import Line, Style
from harness.reporting.wording import count, money, one_line, tokens, visible

__all__ = ["render_drift", "render_leftovers"]

_NAMED = 10
"""Scenarios of one cause that are named, at most."""
_DIFF = 30
"""Lines of one difference that are shown, at most."""
_FILES = (
    DriftClass.ORPHAN,
    DriftClass.SURPLUS,
    DriftClass.JOURNAL,
    DriftClass.PENDING,
    DriftClass.FOREIGN,
    DriftClass.RENAME,
)
_STYLES = {
    ExitCode.FAILED: Style.BAD,
    ExitCode.ERRORED: Style.BAD,
    ExitCode.STALE: Style.WARN,
    ExitCode.OK: Style.MUTED,
}


def render_drift(drift: Drift) -> tuple[Line, ...]:
    """All of it: causes with their differences, the one that most scenarios share first; counts; commands."""
    lines: list[Line] = []
    for cause, sharing in _causes(drift.findings):
        lines.extend(_cause_lines(cause, sharing))
    lines.extend(render_leftovers(drift.findings))
    lines.append(_counts(drift))
    lines.extend(_remedies(drift))
    return tuple(lines)


def render_leftovers(findings: Iterable[Finding]) -> Iterator[Line]:
    """One line for each file that is not in its place."""
    for found in findings:
        if found.kind in _FILES:
            yield ((_STYLES[found.code], found.kind.value), (Style.PLAIN, f"  {one_line(found.cause)}"))


_Cause = tuple[str, tuple[str, ...]]
"""What many scenarios can have in common: the line without its owner, and the differing places."""


def _causes(findings: Iterable[Finding]) -> list[tuple[_Cause, list[Finding]]]:
    causes: dict[_Cause, list[Finding]] = {}
    for found in findings:
        if found.kind in _FILES:
            continue
        parts = [(each.cause, each.diff) for each in found.differences]
        for cause in parts or [(found.cause, ())]:
            causes.setdefault(cause, []).append(found)
    return sorted(causes.items(), key=lambda item: -len({found.scenario for found in item[1]}))


def _cause_lines(cause: _Cause, sharing: Sequence[Finding]) -> Iterator[Line]:
    text, diff = cause
    scenarios = dict.fromkeys(found.scenario for found in sharing)
    owners = dict.fromkeys(found.owner for found in sharing if found.owner)
    named = name_owner(text, *owners)
    changed = " (changed behaviour)" if any(found.code is ExitCode.FAILED for found in sharing) else ""
    yield (
        (_STYLES[ExitCode.worst(found.code for found in sharing)], one_line(named)),
        (Style.PLAIN, f": {count(len(scenarios), 'scenario')}{changed}"),
    )
    yield from (((Style.PLAIN, f"      {visible(line)}"),) for line in diff[:_DIFF])
    if len(diff) > _DIFF:
        yield ((Style.MUTED, f"      … {count(len(diff) - _DIFF, 'more line')}; --json has them all"),)
    more = f" and {count(len(sharing) - _NAMED, 'other')}" if len(sharing) > _NAMED else ""
    yield ((Style.NAME, f"  {', '.join(map(_place, sharing[:_NAMED]))}{more}"),)
    for reading in dict.fromkeys(found.other_reading for found in sharing if found.other_reading):
        yield ((Style.MUTED, f"  or: {one_line(reading)}"),)


def _place(found: Finding) -> str:
    """A scenario, with what tells its findings apart."""
    name = found.scenario if found.case == "default" else f"{found.scenario}[{found.case}]"
    return one_line(f"{name} (call {found.turn})" if found.turn > 1 else name)


def _counts(drift: Drift) -> Line:
    kinds: dict[tuple[Style, str], int] = {}
    for found in drift.findings:
        kinds[_STYLES[found.code], found.kind.value] = kinds.get((_STYLES[found.code], found.kind.value), 0) + 1
    looked = f"{count(drift.cases, 'case')} replayed"
    looked += f", {drift.skipped:,} skipped" if drift.skipped else ""
    pieces: list[tuple[Style, str]] = [(Style.PLAIN, f"{looked}: ")]
    for number, ((style, kind), times) in enumerate(kinds.items()):
        pieces += [(Style.PLAIN, ", " if number else ""), (style, f"{times:,} {kind}")]
    if not kinds:
        pieces.append((Style.GOOD, "no drift"))
    return tuple(piece for piece in pieces if piece[1])


def _remedies(drift: Drift) -> Iterator[Line]:
    """What is not known yet, and what recording anew takes: the stale apart from what may be a regression."""
    unknown = sum(found.unknown for found in drift.findings)
    if unknown:
        what = (
            f"{count(unknown, 'recorded exchange')} after a first difference: whether they differ too shows only then"
        )
        yield ((Style.MUTED, what),)
    for remedy in drift.remedies:
        says = "to record anew" if remedy.code is ExitCode.STALE else "only if the new behaviour is meant"
        yield ((Style.PLAIN, f"{says}, {_price(remedy)}:"),)
        yield ((Style.COMMAND, f"  {visible(remedy.command)}"),)


def _price(remedy: Remedy) -> str:
    """What it takes, as far as earlier recordings tell."""
    cost = remedy.cost
    if cost is None:
        return "at unknown cost"
    usage = None
    if cost.input_tokens is not None and cost.output_tokens is not None:
        usage = Usage(input_tokens=cost.input_tokens, output_tokens=cost.output_tokens)
    beside = f", and {count(remedy.unknown, 'case')} of unknown cost" if remedy.unknown else ""
    return f"about {count(cost.requests, 'request')}, {tokens(usage)}, {money(cost.usd)}{beside}"
