"""What was found in a text, and the text with masks in its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.secrets.escapes import Span, read_escapes
from harness.secrets.masks import MASK, fit, is_mask, pseudonym

__all__ = ["Finding", "disjoint", "replaced", "resized"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret, or one value to redact."""

    rule: str
    """The kind, or the variable's name, in words."""
    spans: tuple[Span, ...]
    """Where it stands; a text that comes in pieces has several."""
    label: str | None = None
    """What to call it in its place, for a value that is redacted; None for a secret."""
    value: bytes = b""
    """Only for a value that is redacted, to tell it from others."""
    is_number: bool = False
    """Whether it stands where JSON has a number, which has to stay one."""


def replaced(text: bytes, found: Iterable[Finding], *, keep_length: bool) -> bytes:
    """The text with a mask in the place of each finding."""
    pieces: list[bytes] = []
    place = 0
    for start, end, mask in _edits(found, keep_length=keep_length):
        pieces += text[place:start], mask
        place = end
    return b"".join((*pieces, text[place:]))


def resized(sizes: Iterable[int], found: Iterable[Finding]) -> list[int]:
    """The sizes of the chunks in which a text came, once its findings are masked at their length where that can be."""
    edits = list(_edits(found, keep_length=True))
    new, begin = [], 0
    for size in sizes:
        grown = sum(len(mask) - (end - start) for start, end, mask in edits if begin < end <= begin + size)
        new.append(size + grown)
        begin += size
    return new


def _edits(found: Iterable[Finding], *, keep_length: bool) -> list[tuple[int, int, bytes]]:
    """What to put where, in order. A mask for a text in pieces is laid over them all."""
    edits = []
    for finding in found:
        mask = MASK if finding.label is None else pseudonym(finding.label, read_escapes(finding.value).text)
        if keep_length or len(finding.spans) > 1:
            mask = fit(mask, sum(end - start for start, end in finding.spans))
        if finding.is_number:
            mask = b"9" * len(finding.value)
        for start, end in finding.spans[:-1]:
            edits.append((start, end, mask[: end - start]))
            mask = mask[end - start :]
        edits.append((*finding.spans[-1], mask))
    return sorted(edits)


def disjoint(found: list[Finding], text: bytes) -> list[Finding]:
    """The findings without those that others hold, and without masks."""
    kept: list[Finding] = []
    covered = bytearray(len(text))
    for finding in sorted(found, key=lambda one: (-len(one.spans), one.spans[0][0], -one.spans[0][1])):
        spans = [free for span in finding.spans for free in _free(covered, span)]
        if not spans or is_mask(b"".join(text[start:end] for start, end in finding.spans)):
            continue
        for start, end in spans:
            covered[start:end] = b"\1" * (end - start)
        last = kept[-1].spans if kept else ()
        if len(last) == len(spans) == 1 and last[0][1] == spans[0][0] > finding.spans[0][0]:
            kept[-1] = replace(kept[-1], spans=((last[0][0], spans[0][1]),))  # they overlap: one secret, as it seems
        else:
            kept.append(replace(finding, spans=tuple(spans)))
    return sorted(kept, key=lambda one: one.spans)


def _free(covered: bytearray, span: Span) -> Iterator[Span]:
    """The parts of a span that are not covered."""
    start, end = span
    while start < end:
        start = covered.find(0, start, end)
        if start == -1:
            return
        stop = covered.find(1, start, end)
        stop = end if stop == -1 else stop
        yield start, stop
        start = stop
