"""Deterministic checks of a trace: its answer, its tool calls, the world it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import regex
from pydantic import JsonValue

from harness.records.base import JsonObject
from harness.records.likeness import contains, equal
from harness.records.scenario import Called, Limits, NotCalled, Order, OutputRule, State
from harness.records.score import Score, ScorerKind, ScoreStatus
from harness.records.trace import HttpCall, ToolCalled, Trace
from harness.wire.sums import known_cost, known_usage, unknown_cost, unknown_tokens

__all__ = ["check_called", "check_limits", "check_not_called", "check_order", "check_output", "check_state", "describe"]

REGEX_SECONDS = 1.0
"""How long a regular expression from a file may search one answer."""

_NANOSECONDS = Decimal(1_000_000_000)


def check_output(rule: OutputRule, trace: Trace) -> Iterator[Score]:
    """One score for each key of the rule."""
    answer = trace.output
    text = answer if isinstance(answer, str) else _json(answer)
    if "equals" in rule.model_fields_set:
        held = equal(rule.equals, answer)
        yield _check("output equals", held, f"expected {_json(rule.equals)}", evidence=_clip(text))
    if rule.contains is not None:
        wanted = (rule.contains,) if isinstance(rule.contains, str) else rule.contains
        missing = [part for part in wanted if part not in text]
        reason = f"the answer holds {_quoted(wanted)}" if not missing else f"the answer lacks {_quoted(missing)}"
        yield _check("output contains", not missing, reason, evidence=_clip(text))
    if rule.matches is not None:
        yield _check_matches(rule.matches, text)


def _check_matches(pattern: str, text: str) -> Score:
    name = "output matches"
    try:
        found = regex.search(pattern, text, timeout=REGEX_SECONDS)
    except TimeoutError:
        reason = f"the pattern {pattern!r} searched longer than {REGEX_SECONDS:g} s; simplify it"
        return _score(name, ScorerKind.CHECK, ScoreStatus.ERRORED, None, reason, _clip(text))
    reason = f"the answer matches {pattern!r}" if found else f"the answer does not match {pattern!r}"
    return _check(name, found is not None, reason, evidence=_clip(found[0] if found else text))


def check_called(expected: Called, trace: Trace) -> Score:
    """A tool was called, with these arguments, so many times."""
    name = f"called {expected.called}"
    calls = [call for call in trace.tool_calls if call.name == expected.called]
    fitting = [call for call in calls if _fits(expected, call.arguments)]
    wanted = _wanted(expected)
    times = expected.times
    hidden = _hidden(trace, expected.called)
    if hidden and (len(fitting) <= times if times is not None else not fitting):
        return _cannot_tell(name, hidden, calls)
    unknown = _never_offered(expected.called, trace)
    if unknown:
        return _check(name, False, unknown)
    if times is not None:
        held = len(fitting) == times
        reason = f"expected {wanted} {_times(times)}, found {len(fitting)}"
    else:
        held = bool(fitting)
        reason = f"{wanted} was called in turn {fitting[0].turn}" if held else f"expected {wanted}, found no such call"
    return _check(name, held, reason, evidence=_trajectory(fitting if held else calls or trace.tool_calls))


def check_not_called(expected: NotCalled, trace: Trace) -> Score:
    """A tool that the model was offered was left alone."""
    tool = expected.not_called
    name = f"not called {tool}"
    calls = [call for call in trace.tool_calls if call.name == tool]
    if calls:
        return _check(name, False, f"turn {calls[0].turn}: {describe(calls[0])} must not happen", _trajectory(calls))
    hidden = _hidden(trace, tool)
    if hidden:
        return _cannot_tell(name, hidden, trace.tool_calls)
    unknown = _never_offered(tool, trace)
    if unknown:
        return _check(name, False, unknown)
    return _check(name, True, f"{tool} was offered and not called")


def check_order(expected: Order, trace: Trace) -> Score:
    """Tools were called in this order; other calls may stand between."""
    name = "order " + " → ".join(expected.order)
    rest = iter(call.name for call in trace.tool_calls)
    absent = next((tool for tool in expected.order if tool not in rest), None)
    hidden = _hidden(trace, *expected.order)
    if absent is not None and hidden:
        return _cannot_tell(name, hidden, trace.tool_calls)
    reason = "called in this order" if absent is None else f"no call of {absent} in its place"
    return _check(name, absent is None, reason, evidence=_trajectory(trace.tool_calls))


def _hidden(trace: Trace, *tools: str) -> tuple[str, ...]:
    """Why calls of these tools, or of any where none is named, may have been made that the trace does not show."""
    broken = (
        f"turn {turn} broke off after a call of {call.name} had arrived"
        for turn, call in trace.possible_calls
        if not tools or call.name in tools
    )
    return (*trace.hidden_calls, *broken)


def _first(reasons: Sequence[str]) -> str:
    return f"{reasons[0]} (and {len(reasons) - 1} more)" if len(reasons) > 1 else reasons[0]


def _cannot_tell(name: str, hidden: Sequence[str], calls: Sequence[ToolCalled]) -> Score:
    reason = f"can't tell: {_first(hidden)}"
    return _score(name, ScorerKind.CHECK, ScoreStatus.ERRORED, None, reason, _trajectory(calls))


def check_state(expected: State, trace: Trace) -> Iterator[Score]:
    """The world is as described, exact at each path: one score for each path."""
    for path, value in expected.state.items():
        found, present = _look_up(trace.state, path)
        held = present and equal(value, found)
        actual = f"is {_clip(_json(found))}" if present else "does not exist"
        reason = f"{path} {actual}" if held else f"{path} {actual}, expected {_clip(_json(value))}"
        yield _check(f"state {path}", held, reason)


def check_limits(limits: Limits, trace: Trace) -> Iterator[Score]:
    """One score for each limit that is set.

    What is known to have been used may exceed a limit already; where it does not and there is more that nobody knows,
    the limit fails as unknown.
    """
    for field, measure in _MEASURES.items():
        limit = getattr(limits, field)
        if limit is not None:
            yield _limit_score(field, limit, measure(trace))


@dataclass(frozen=True, slots=True)
class _Amount:
    """How much of something a trial used."""

    known: int | Decimal
    unknown: tuple[str, ...] = ()
    """Why there may be more."""


_MEASURES: Mapping[str, Callable[[Trace], _Amount]] = {
    "model_calls": lambda trace: _Amount(trace.model_requests, _unread_calls(trace)),
    "tool_calls": lambda trace: _Amount(len(trace.tool_calls), _hidden(trace)),
    "tokens": lambda trace: _Amount(known_usage(trace.events).total_tokens, unknown_tokens(trace.events)),
    "cost_usd": lambda trace: _Amount(known_cost(trace.events), unknown_cost(trace.events)),
    "seconds": lambda trace: _Amount(trace.duration / _NANOSECONDS),
}


def _limit_score(field: str, limit: int | Decimal, amount: _Amount) -> Score:
    name, known = f"limit {field}", amount.known
    said = f"{known:f}" if isinstance(known, Decimal) else f"{known}"
    if known <= limit and amount.unknown:
        least = f"at least {said} {field}; " if known else ""
        reason = f"unknown: {least}{_first(amount.unknown)}"
        return _score(name, ScorerKind.LIMIT, ScoreStatus.FAILED, None, reason)
    held = known <= limit
    status = ScoreStatus.PASSED if held else ScoreStatus.FAILED
    least = "at least " if amount.unknown else ""
    bound = f"{limit:f}" if isinstance(known, Decimal) else f"{limit}"
    return _score(name, ScorerKind.LIMIT, status, 1.0 if held else 0.0, f"{least}{said} {field}, limit {bound}")


def _unread_calls(trace: Trace) -> tuple[str, ...]:
    return tuple(
        f"turn {event.turn} is a call of an API that is not read ({event.model_api})"
        for event in trace.events
        if isinstance(event, HttpCall) and event.hides_tools
    )


def describe(call: ToolCalled) -> str:
    """A call as it would be written in code: ``refund(order_id="1042")``."""
    return f"{call.name}({_arguments(call.arguments)})"


def _fits(expected: Called, arguments: JsonValue) -> bool:
    if expected.exactly is not None:
        return equal(expected.exactly, arguments)
    return expected.arguments is None or contains(arguments, expected.arguments)


def _wanted(expected: Called) -> str:
    if expected.exactly is not None:
        return f"{expected.called}({_arguments(expected.exactly)})"
    if expected.arguments:
        return f"{expected.called}({_arguments(expected.arguments)}, …)"
    return expected.called


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _never_offered(tool: str, trace: Trace) -> str | None:
    """A name that no model was ever offered says nothing, however it is held against the calls."""
    if not trace.model_calls:
        return "the agent made no model call"
    offered = sorted({name for call in trace.model_calls for name in call.tools})
    called = any(call.name == tool for call in trace.tool_calls)
    if called or tool in offered or any(call.servers for call in trace.model_calls):
        return None  # an MCP server that lists nothing may have any tool
    return f"tool {tool!r} was never offered to the model; offered: {', '.join(offered) or 'none'}"


def _look_up(state: JsonValue, path: str) -> tuple[JsonValue, bool]:
    here = state
    for key in path.split("."):
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        else:
            return None, False
    return here, True


def _trajectory(calls: Sequence[ToolCalled]) -> str:
    return "\n".join(f"turn {call.turn}: {describe(call)}" for call in calls) or "no tool was called"


def _arguments(arguments: JsonValue | JsonObject) -> str:
    if isinstance(arguments, dict):
        return ", ".join(f"{key}={_json(value)}" for key, value in arguments.items())
    return _json(arguments)


def _quoted(parts: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f'"{part}"' for part in parts)


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _clip(text: str, length: int = 400) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _check(name: str, held: bool, reason: str, evidence: str | None = None) -> Score:
    status = ScoreStatus.PASSED if held else ScoreStatus.FAILED
    return _score(name, ScorerKind.CHECK, status, 1.0 if held else 0.0, reason, evidence)


def _score(
    name: str, scorer: ScorerKind, status: ScoreStatus, value: float | None, reason: str, evidence: str | None = None
) -> Score:
    return Score(name=name, scorer=scorer, status=status, value=value, reason=reason, evidence=evidence)
