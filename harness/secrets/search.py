"""Finds secrets in text, and masks them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

import regex

from harness.errors import CassetteMissError
from harness.records.redaction import Redaction
from harness.secrets.escapes import Mapped, Span, has_odd_escapes, read_escapes, read_percents
from harness.secrets.findings import Finding, disjoint, replaced, resized
from harness.secrets.leaves import Path, read_leaves
from harness.secrets.masks import mark_masks, settle
from harness.secrets.rules import ADDRESS_RULES, TEXT_RULES, Rule
from harness.secrets.streams import STREAMED_LINE, joined_texts
from harness.secrets.values import Form, secret_values, written_forms

__all__ = ["Secrets", "declared_redaction", "declaring", "known_secrets"]

_EMAIL = r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
_ROUNDS = 8
"""A mask may part what stood together, so that what was no key before is one now; one round is the rule."""
_SECONDS = 5
"""How long a project's own pattern may take over one body."""


_HINTS = {hint: [rule for rule in TEXT_RULES if hint in rule.hints] for each in TEXT_RULES for hint in each.hints}
"""The rules by what their matches hold."""
_NOTHING = Redaction()
_DECLARED: ContextVar[Redaction] = ContextVar("harness_redaction", default=_NOTHING)

_Environ = Mapping[str, str] | Mapping[bytes, bytes]
_ENVIRON: _Environ = getattr(os, "environb", os.environ)
"""As the system keeps it, where it keeps bytes: text would be decoded each time."""


@contextmanager
def declaring(redaction: Redaction) -> Iterator[None]:
    """Let what the project declares hold for everything that is recorded, replayed or reported here.

    It goes with the context so that no door to the disk can forget to ask for it.
    """
    token = _DECLARED.set(redaction)
    try:
        yield
    finally:
        _DECLARED.reset(token)


def declared_redaction() -> Redaction:
    """What the project declares that the running code belongs to. Take it down before another thread goes on."""
    return _DECLARED.get()


def known_secrets(environ: _Environ = _ENVIRON, declared: Redaction | None = None) -> Secrets:
    """The secrets of this moment: what the environment holds now, and what the project declares."""
    return _secrets_of(tuple(environ.items()), declared or declared_redaction())


@lru_cache(maxsize=4)
def _secrets_of(environ: tuple[tuple[str | bytes, str | bytes], ...], declared: Redaction) -> Secrets:
    """Kept, because every trial asks, and the environment seldom changes between two."""
    decoded = {os.fsdecode(name): os.fsdecode(value) for name, value in environ}
    return Secrets(secret_values(decoded, declared.variables), declared)


class Secrets:
    """What counts as a secret here: patterns of keys, values of variables, and what the project declares."""

    def __init__(self, values: Mapping[str, str] | None = None, declared: Redaction | None = None) -> None:
        self._values = dict(values or {})
        self._declared = declared or Redaction()

    def adding(self, values: Mapping[str, str]) -> Secrets:
        """The same with further values."""
        return Secrets({**values, **self._values}, self._declared) if values.keys() - self._values.keys() else self

    def find(self, text: bytes, *, address: bool = False) -> list[Finding]:
        """What is secret in a text, in order and without overlaps."""
        found = list(self._find_plain(text))
        if b"\\" in text and (self._own or self._is_escaped(text)):
            # a pattern of the project's own would take the n of an escape for a letter
            mapped = read_escapes(text)
            found += [_moved(finding, mapped) for finding in self._find_said(mapped.text)]
        elif self._own:
            found += self._find_own(text)
        if b"%" in text and (address or self._has_special_values):
            mapped = read_percents(text)
            found += [_moved(finding, mapped) for finding in self._find_said(mapped.text)]
        if address:
            found += _matches(ADDRESS_RULES, text)
        if self._declared.paths and not address:
            found += self._find_paths(text)
        return disjoint(found, text)

    def find_in_body(self, body: bytes) -> list[Finding]:
        """What is secret in a response's body, also where it comes in the pieces of a stream."""
        found = self.find(body)
        for spans in joined_texts(body):
            said = b"".join(body[start:end] for start, end in spans)
            if self._own or self._is_escaped(said) or any(self._find_plain(said)):
                found += self._find_across([read_escapes(body, *span) for span in spans])
        return disjoint(found, body)

    def _find_across(self, pieces: list[Mapped]) -> Iterator[Finding]:
        """What is secret in a text and lies in more than one of its pieces."""
        whole, ends = Mapped.joined(pieces), _ends(pieces)
        for finding in self._find_said(whole.text):
            ((start, end),) = finding.spans
            parts = [
                whole.span(max(start, first), min(end, last)) for first, last in ends if first < end and start < last
            ]
            if len(parts) > 1:
                yield replace(finding, spans=tuple(parts))

    def mask(self, text: bytes, *, address: bool = False) -> bytes:
        """A text of a request, each secret in it replaced by a mask that does not tell its length.

        The very same object where there is none. Masking twice changes nothing.
        """
        masked = text
        for _ in range(_ROUNDS):
            before = masked
            found = self.find(before, address=address)
            masked = settle(replaced(before, found, keep_length=False) if found else before)
            if masked == before:
                break
        return text if masked == text else masked

    def mask_body(self, body: bytes, sizes: Iterable[int]) -> tuple[bytes, list[int], list[Finding]]:
        """A response's body with masks as long as what they hide; the sizes of its chunks; and what was masked."""
        masked, sizes = [], list(sizes)
        for _ in range(_ROUNDS):
            found = self.find_in_body(body)
            after = replaced(body, found, keep_length=True)
            if after == body:
                break
            body, sizes = after, resized(sizes, found)
            masked += found
        return body, sizes, masked

    def _is_escaped(self, text: bytes) -> bool:
        return b"\\" in text and (self._has_special_values or has_odd_escapes(text))

    @cached_property
    def _has_special_values(self) -> bool:
        """Whether a value may be escaped in other ways than those that are looked for in plain text."""
        return any(re.search(r"[^\w.~$@#%^*()+=,:;?!{}\[\]|-]", value, re.ASCII) for value in self._values)

    @cached_property
    def _forms(self) -> tuple[tuple[Form, str], ...]:
        """Each form of each value, and what to call it."""
        forms = {form.text: (form, name) for value, name in self._values.items() for form in written_forms(value)}
        return tuple(forms.values())

    @cached_property
    def _own(self) -> tuple[tuple[str, str | None, regex.Pattern[str]], ...]:
        """The project's own patterns: the kind, what stands in the place, the pattern."""
        declared = self._declared
        own = [("configured pattern", None, pattern) for pattern in declared.secrets]
        redacted = ((("email", _EMAIL),) if declared.emails else ()) + declared.patterns
        return tuple(
            (kind, label, regex.compile(pattern))
            for kind, label, pattern in (*own, *((name, name, pattern) for name, pattern in redacted))
        )

    def _find_plain(self, text: bytes) -> Iterator[Finding]:
        for form, name in self._forms:
            start = text.find(form.text)
            while start != -1:
                yield Finding(f"value of {name}", (_reach(text, start, form),))
                start = text.find(form.text, start + len(form.text))
        rules = {rule: None for hint, rules in _HINTS.items() if hint in text for rule in rules}
        yield from _matches(rules, text)

    def _find_said(self, text: bytes) -> Iterator[Finding]:
        """What is secret in a text without escapes."""
        yield from self._find_plain(text)
        if self._own:
            yield from self._find_own(text)

    def _find_own(self, text: bytes) -> Iterator[Finding]:
        said = text.decode("utf-8", "surrogateescape")
        place = _places(said) if len(said) != len(text) else lambda index: index
        covered = mark_masks(text)  # or a pattern such as \S+ would find its own pseudonym
        for kind, label, pattern in self._own:
            try:
                for match in pattern.finditer(said, timeout=_SECONDS):
                    span = place(match.start()), place(match.end())
                    if span[0] < span[1] and covered.find(1, *span) == -1:
                        yield Finding(kind, (span,), label, text[slice(*span)])
            except TimeoutError:
                what = f"the pattern {kind!r} of [tool.harness] took more than {_SECONDS} s; simplify it"
                raise CassetteMissError(what) from None

    def _find_paths(self, text: bytes) -> Iterator[Finding]:
        wanted = [(path.split("."), _label(path)) for path in self._declared.paths]
        for start, end in _json_parts(text):
            for leaf in read_leaves(text, start, end):
                if leaf.span[0] == leaf.span[1]:
                    continue
                for path, label in wanted:
                    value = text[slice(*leaf.span)]
                    if _lies_under(leaf.path, path) and (leaf.is_text or value.isdigit()):
                        yield Finding(label, (leaf.span,), label, value, is_number=not leaf.is_text)


def _reach(text: bytes, start: int, form: Form) -> Span:
    """Where a form stands, with the characters that it shares with its neighbours, and base64's padding."""
    end = start + len(form.text)
    before = start - 1 if form.shares_first and start else start
    ahead = text[max(0, before - 64) : before]
    if (len(ahead) - len(ahead.rstrip(b"\\"))) % 2:
        before -= 1  # the value begins with the letter of an escape, as it seems: half an escape would break JSON
    if form.shares_last and text[end : end + 1].isalnum():
        end += 1
        end += len(text[end : end + 2]) - len(text[end : end + 2].lstrip(b"="))
    return before, end


def _matches(rules: Iterable[Rule], text: bytes) -> Iterator[Finding]:
    for rule in rules:
        group = "secret" if "secret" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(text):
            if rule.holds(match[group]):
                yield Finding(rule.name, (match.span(group),))


def _moved(finding: Finding, mapped: Mapped) -> Finding:
    return replace(finding, spans=tuple(mapped.span(*span) for span in finding.spans))


def _ends(pieces: Iterable[Mapped]) -> list[Span]:
    """Where each piece stands in the text that they make."""
    ends = [0, *accumulate(len(piece.text) for piece in pieces)]
    return list(pairwise(ends))


def _places(said: str) -> Callable[[int], int]:
    """From a character to the byte that it begins at."""
    places = [0, *accumulate(len(character.encode("utf-8", "surrogateescape")) for character in said)]
    return places.__getitem__


def _json_parts(text: bytes) -> Iterator[Span]:
    """Where JSON stands in a body: in all of it, or in the lines of a stream."""
    if text[:64].lstrip()[:1] in (b"{", b"["):
        yield 0, len(text)
    else:
        yield from (match.span(1) for match in STREAMED_LINE.finditer(text))


def _lies_under(path: Path, wanted: Sequence[str]) -> bool:
    return len(path) >= len(wanted) and all(
        name == "*" or name == step for step, name in zip(path, wanted, strict=False)
    )


def _label(path: str) -> str:
    """A name for what stands at a path: its last word."""
    words = [step for step in path.split(".") if step != "*"]
    return re.sub(r"[^a-z0-9]+", "-", words[-1].lower() if words else "value").strip("-")[:40] or "value"
