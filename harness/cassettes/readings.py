"""Builds mismatches, and says in words which second reading they have."""

from __future__ import annotations

from harness.cassettes.diffs import diff_texts
from harness.records.mismatch import Difference, Mismatch, MismatchKind, MismatchPart

__all__ = ["ONLY_BY_MATCH_ON", "as_changed", "build_mismatch", "chosen_while_running"]

ONLY_BY_MATCH_ON = "it is the recorded request, but for what the test's own `match_on` compares"


def build_mismatch(
    kind: MismatchKind,
    part: MismatchPart,
    turn: int,
    cause: str,
    recorded: str,
    current: str,
    *,
    diff: tuple[str, ...] | None = None,
    other_reading: str | None = None,
) -> Mismatch:
    """A mismatch of one difference. ``diff``: its lines; by default those of the two texts."""
    lines = diff_texts(recorded, current) if diff is None else diff
    return Mismatch(
        kind=kind,
        part=part,
        turn=turn,
        cause=cause,
        recorded=recorded,
        current=current,
        other_reading=other_reading,
        differences=(Difference(part=part, cause=cause, diff=lines),),
    )


def as_changed(mismatch: Mismatch, part: MismatchPart, cause: str) -> Mismatch:
    """The same differences read as changed behaviour, with this cause. What they look like is the second reading."""
    first, *others = mismatch.differences
    reading = mismatch.other_reading
    if mismatch.kind is MismatchKind.STALE:
        reading = f"stale: the author edited the agent ({mismatch.cause})"
    named = {"part": part, "cause": cause}
    differences = (first.model_copy(update=named), *others)
    update = {**named, "kind": MismatchKind.CHANGED, "differences": differences, "other_reading": reading}
    return mismatch.model_copy(update=update)


def chosen_while_running(turn: int) -> str | None:
    """The second reading of what looks like the author's edit; None for the first call, before which nothing ran."""
    if turn == 1:
        return None
    matched = f"{turn - 1} {'call' if turn == 2 else 'calls'}"
    return (
        f"changed behaviour: {matched} before this one matched, so the agent may have chosen this itself while it ran"
    )
