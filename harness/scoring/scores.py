"""Holds each expectation of a scenario against a trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from harness.records.scenario import (
    Called,
    Expectation,
    Judged,
    NotCalled,
    Order,
    Output,
    Scenario,
    State,
    Validated,
    Verdict,
)
from harness.records.score import Score
from harness.records.trace import Trace
from harness.registry import Registry
from harness.scorers.checks import (
    check_called,
    check_limits,
    check_not_called,
    check_order,
    check_output,
    check_state,
)
from harness.scorers.validators import validate_output

__all__ = ["score_trace"]

Judge = Callable[[Verdict], Awaitable[Score]]


async def score_trace(scenario: Scenario, trace: Trace, registry: Registry, judge: Judge) -> tuple[Score, ...]:
    """One score or more for each expectation, in the file's order, then one for each limit.

    Names are unique within the result: a second score of the same name gets a number.
    """
    scores = [score for item in scenario.expect async for score in _score(item, trace, registry, judge)]
    scores.extend(check_limits(scenario.limits, trace))
    return tuple(_number(scores))


async def _score(item: Expectation, trace: Trace, registry: Registry, judge: Judge) -> AsyncIterator[Score]:
    match item:
        case Output():
            for score in check_output(item.output, trace):
                yield score
        case State():
            for score in check_state(item, trace):
                yield score
        case Called():
            yield check_called(item, trace)
        case NotCalled():
            yield check_not_called(item, trace)
        case Order():
            yield check_order(item, trace)
        case Validated():
            yield validate_output(item.validator, registry.find_validator(item.validator), trace)
        case Judged():
            yield await judge(item.judge)


def _number(scores: Iterable[Score]) -> Iterable[Score]:
    seen: Counter[str] = Counter()
    for score in scores:
        seen[score.name] += 1
        count = seen[score.name]
        yield score if count == 1 else score.model_copy(update={"name": f"{score.name} ({count})"})
