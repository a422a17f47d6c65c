"""Reads how many tokens a reply took, whichever protocol and provider wrote it.

Figures are known by their names, since gateways send one provider's names through another one's protocol. Where figures
are missing, are no counts or contradict each other, the usage is unknown, and the reason is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.message import Usage
from harness.wire.shapes import object_at, text_at

__all__ = ["NOT_SAID", "UsageReading", "billing_terms", "read_usage"]

NOT_SAID = "says no usage; ask for it (stream_options of a chat stream)"

_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_MOST = 1_000_000_000
"""No reply takes more: a larger figure is a mistake."""
_FREE_SERVER_TOOLS = {"tool_search_requests", "web_fetch_requests", "web_search_requests"}
"""Anthropic's counters that cost nothing, or whose price is known."""


@dataclass(frozen=True, slots=True)
class UsageReading:
    """The usage of a reply, or why it is unknown."""

    usage: Usage | None
    unknown: str = ""
    """Why it is unknown, as what the reply does: ``says only total_tokens``."""


class _UnclearError(Exception):
    """Figures that can't be taken for what they say."""


def read_usage(body: JsonValue) -> UsageReading:
    """The tokens under ``usage`` of a reply's body."""
    usage = object_at(body, "usage")
    if not usage:
        return UsageReading(None, NOT_SAID)
    try:
        return UsageReading(_read(usage))
    except _UnclearError as error:
        return UsageReading(None, str(error))


def billing_terms(body: JsonValue) -> dict[str, str]:
    """Read what changes a reply's price: service tier, speed, place of inference, other tools."""
    usage = object_at(body, "usage")
    terms = {key: text_at(body, key) or text_at(usage, key) for key in ("service_tier", "speed", "inference_geo")}
    counters = object_at(usage, "server_tool_use")
    paid = [key for key, value in counters.items() if value and key not in _FREE_SERVER_TOOLS]
    return {key: value for key, value in terms.items() | {("server_tools", ", ".join(paid))} if value}


def _read(usage: JsonObject) -> Usage:
    prompt, output = _one_of(usage, _INPUT), _one_of(usage, _OUTPUT)
    if prompt is None or output is None:
        said = ", ".join(key for key, value in usage.items() if value) or "nothing"
        raise _UnclearError(f"says {said}, and not how many tokens went in and came out")
    details = [object_at(usage, key) for key in _INPUT_DETAILS]
    cached = _first(usage, details, "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
    written = _first(usage, details, "cache_write_tokens", "cache_creation_input_tokens")
    if _counts_cache_beside(usage):
        prompt += cached + written
    elif cached + written > prompt:
        raise _UnclearError(f"speaks of {cached + written:,} cached tokens in a prompt of {prompt:,}")
    made = [object_at(usage, key) for key in _OUTPUT_DETAILS]
    reasoning = _first({}, made, "reasoning_tokens", "thinking_tokens")
    output = _with_reasoning(prompt, output, reasoning, _count(usage, "total_tokens"))
    if not prompt:
        raise _UnclearError("says that no tokens went in")
    if len(_iterations(usage)) > 1:
        raise _UnclearError("was made in several iterations, each of which is billed")
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=_hour_writes(usage, written),
        reasoning_tokens=reasoning,
        audio_input_tokens=_part(_first({}, details, "audio_tokens"), prompt, "audio"),
        audio_output_tokens=_part(_first({}, made, "audio_tokens"), output, "audio"),
        web_searches=_count(object_at(usage, "server_tool_use"), "web_search_requests") or 0,
    )


def _with_reasoning(prompt: int, output: int, reasoning: int, total: int | None) -> int:
    """The tokens generated, reasoning included, which some providers count beside the others."""
    if total == prompt + output + reasoning:
        return output + reasoning
    if total is None or total == prompt + output:
        _part(reasoning, output, "reasoning")
        return output
    raise _UnclearError(f"speaks of {total:,} tokens in all, of {prompt:,} in and {output:,} out")


def _part(part: int, whole: int, name: str) -> int:
    if part > whole:
        raise _UnclearError(f"speaks of {part:,} {name} tokens among {whole:,}")
    return part


def _counts_cache_beside(usage: JsonObject) -> bool:
    """Tell whether the prompt's count leaves out what was read from the cache, as Anthropic's does."""
    return usage.get("prompt_tokens") is None and any(
        usage.get(key) is not None for key in ("cache_read_input_tokens", "cache_creation_input_tokens")
    )


def _hour_writes(usage: JsonObject, written: int) -> int:
    by_life = object_at(usage, "cache_creation")
    minutes, hour = (_count(by_life, f"ephemeral_{life}_input_tokens") or 0 for life in ("5m", "1h"))
    if by_life and minutes + hour != written:
        raise _UnclearError(f"speaks of {written:,} tokens written to the cache, and of {minutes:,} and {hour:,}")
    return hour


def _iterations(usage: JsonObject) -> list[JsonValue]:
    given = usage.get("iterations")
    return given if isinstance(given, list) else []


def _one_of(usage: JsonObject, names: tuple[str, ...]) -> int | None:
    """The count under either name; where both are used, one may be 0, or they must agree."""
    found = {count for name in names if (count := _count(usage, name)) is not None}
    found = found - {0} or found
    if len(found) > 1:
        raise _UnclearError(f"says different things under {' and '.join(names)}")
    return next(iter(found), None)


def _first(usage: JsonObject, details: list[JsonObject], *names: str) -> int:
    """The first count under one of the names, in the details or beside them; 0 where there is none."""
    counts = (_count(holder, name) for holder in (*details, usage) for name in names)
    return next((count for count in counts if count), 0)


def _count(holder: JsonObject, name: str) -> int | None:
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise _UnclearError(f"says {name} {value!r}, which is no count")
    if not 0 <= value <= _MOST:
        raise _UnclearError(f"says {name} {value:,}, which can't be")
    return int(value)
