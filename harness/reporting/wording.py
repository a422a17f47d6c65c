"""How numbers and outcomes are said, in every output alike. Nothing unknown is ever printed as 0."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from harness.records.message import Usage
from harness.records.run import Trial

__all__ = [
    "count",
    "duration",
    "inexact",
    "join_commands",
    "money",
    "one_line",
    "tokens",
    "visible",
]

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Characters that steer a terminal or turn the reading direction: ESC, C1, bidirectional controls."""

_CENT = Decimal("0.01")

_PLAIN_RECORD = re.compile(r"harness record( [\w./][\w./-]*)+")
"""Paths only: no option, nothing that a shell would read otherwise."""


def count(number: int, noun: str) -> str:
    """``1 case``, ``1,204 cases``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(nanoseconds: int | None) -> str:
    """Whole units that a reader can compare: ``340 ms``, ``3.2 s``, ``2 min 5 s``."""
    if nanoseconds is None:
        return "unknown time"
    milliseconds = round(nanoseconds / 1_000_000)
    if milliseconds < 1_000:
        return f"{milliseconds} ms" if milliseconds or not nanoseconds else "< 1 ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1_000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    return f"{minutes:,} min {seconds} s"


def inexact(trials: Iterable[Trial]) -> tuple[tuple[str, str], ...]:
    """For each reason why times are not exact: ``times not exact in 2 trials``, and the reason."""
    reasons = Counter(why for trial in trials if trial.trace for why in trial.trace.inexact)
    return tuple((f"times not exact in {count(number, 'trial')}", why) for why, number in reasons.items())


def money(usd: Decimal | None) -> str:
    """US dollars with two digits from a cent on, else with the first two that say something."""
    if usd is None:
        return "unknown cost"
    rounded = round(usd, 1 - usd.adjusted()) if 0 < usd < _CENT else usd
    return f"${rounded:f}" if 0 < rounded < _CENT else f"${rounded:,.2f}"


def tokens(usage: Usage | None) -> str:
    """Prompt and output apart: ``1,204 → 86 tokens``."""
    if usage is None:
        return "unknown tokens"
    return f"{usage.input_tokens:,} → {usage.output_tokens:,} tokens"


def visible(text: str) -> str:
    """The text with control and direction characters spelled out, so that it steers no terminal."""
    return _UNSAFE.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 400) -> str:
    """The text on one line, cut at ``limit`` characters with an ellipsis that says so."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def join_commands(commands: Iterable[str]) -> tuple[str, ...]:
    """As few commands as do the same: those without options that differ only in their paths become one."""
    known = tuple(dict.fromkeys(commands))
    plain = [command for command in known if _PLAIN_RECORD.fullmatch(command)]
    paths = dict.fromkeys(path for command in plain for path in command.split()[2:])
    joined = [" ".join(["harness record", *paths])] if paths else []
    return (*joined, *(command for command in known if command not in plain))
