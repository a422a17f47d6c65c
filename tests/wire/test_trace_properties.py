"""What holds of every trace, whatever the agents did: nothing is lost, counted twice, or moved by chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records.exchange import Exchange, HttpRequest
from harness.records.message import Usage
from harness.records.trace import Conversation, Event, HttpCall, ModelCall, Role
from harness.wire.sums import total_cost, total_usage
from harness.wire.trace import read_events
from tests.wire.talking import asks, exchange, says, tool_result, user

AGENTS: list[dict[str, Any]] = [
    {"system": "You lead.", "tools": ["ask"]},
    {"system": "You search.", "tools": ["search"]},
    {"system": "You judge."},
    {},
]
REPLIES = [None, says("Done."), says("A longer reply that others may hold."), asks(("c1", "ask", {"q": "lamps"}))]
TAILS = [[], [tool_result("c1", "Done.")], [user("Go on.")], [user("A longer reply that others may hold.")]]

steps = st.tuples(
    st.sampled_from(AGENTS), st.integers(0, 3), st.sampled_from(REPLIES), st.sampled_from(TAILS), st.integers(1, 30)
)


@st.composite
def trials(draw: st.DrawFn) -> list[tuple[Exchange, int]]:
    """Exchanges at distinct instants, many of them overlapping, that repeat and continue each other at will."""
    played: list[tuple[Exchange, int]] = []
    histories: list[list[Any]] = [[user("Hello.")]]
    for number, (agent, pick, reply, tail, took) in enumerate(draw(st.lists(steps, min_size=1, max_size=9))):
        messages = [*histories[pick % len(histories)], *tail]
        status = 200 if reply else draw(st.sampled_from([429, 500, 0]))
        made = exchange(messages, reply, at=number, took=took / 10, status=status, **agent)
        if draw(st.integers(0, 9)) == 0:
            made = made.model_copy(update={"request": HttpRequest(method="GET", uri="https://example.org/tides")})
        failed = [each for each, _ in played if each.response.status != 200]
        if failed and draw(st.booleans()):
            made = made.model_copy(update={"request": failed[-1].request})
        turn = played[-1][1] + draw(st.integers(0, 1)) if played else 1
        played.append((made, min(turn, 2)))
        if reply:
            histories.append([*messages, reply])
    return played


def read(played: Sequence[tuple[Exchange, int]]) -> tuple[Event, ...]:
    """The events of two user turns."""
    return read_events(played, ["Hello.", "Go on."], {})


@settings(deadline=None, max_examples=150)
@given(trials(), st.randoms(use_true_random=False))
def test_the_order_in_which_exchanges_are_handed_over_says_nothing(
    played: list[tuple[Exchange, int]], chance: random.Random
) -> None:
    """Shuffled, the same exchanges give the same trace to the byte."""
    shuffled = list(played)
    chance.shuffle(shuffled)
    assert [event.model_dump_json() for event in read(shuffled)] == [event.model_dump_json() for event in read(played)]


@settings(deadline=None, max_examples=150)
@given(trials())
def test_every_exchange_appears_exactly_once(played: list[tuple[Exchange, int]]) -> None:
    """As a call, as a failed attempt of one, or as an HTTP call, under its number."""
    numbers = []
    for event in read(played):
        if isinstance(event, ModelCall):
            numbers += [event.turn, *(attempt.turn for attempt in event.attempts)]
        elif isinstance(event, HttpCall):
            numbers.append(event.turn)
    assert sorted(numbers) == list(range(1, len(played) + 1))


@settings(deadline=None, max_examples=150)
@given(trials())
def test_folding_changes_no_sum(played: list[tuple[Exchange, int]]) -> None:
    """Tokens and cost are those of the exchanges read one by one."""
    events = read(played)
    alone = [read_events([(each, 1)], ["Hello."], {}) for each, _ in played]
    assert total_usage(events) == sum(map(total_usage, alone), Usage())
    assert total_cost(events) == sum(cost for one in alone if (cost := total_cost(one)) is not None)


@settings(deadline=None, max_examples=150)
@given(trials())
def test_conversations_are_whole(played: list[tuple[Exchange, int]]) -> None:
    """Each call's conversation was begun before it; at most one is the main one; every parent exists."""
    events = read(played)
    begun: dict[int, Conversation] = {}
    several = any(isinstance(event, Conversation) for event in events)
    for event in events:
        if isinstance(event, Conversation):
            assert event.number not in begun
            begun[event.number] = event
        elif isinstance(event, ModelCall):
            assert event.conversation in begun if several else event.conversation == 1
    assert sorted(begun) == list(range(1, len(begun) + 1))
    assert [one.number for one in begun.values() if one.role is Role.MAIN] in ([], [1])
    assert all(one.parent is None or (one.parent in begun and one.parent != one.number) for one in begun.values())
    assert all(one.ground for one in begun.values())
