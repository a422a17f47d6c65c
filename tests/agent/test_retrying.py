"""The retry rule, on recorded time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent import Agent, AgentState
from harness.agent.retrying import ATTEMPTS, FIRST_PAUSE, LONGEST_WAIT, pause_before
from harness.errors import FatalError, LogicError, ModelError, ProviderError, TransientError
from harness.records.message import ModelReply
from harness.seams import RecordedClock, Seams
from tests.agent.scripted import ScriptedClient, says


def run(*script: ModelReply | ProviderError, seed: int = 1) -> tuple[ScriptedClient, float, AgentState | ProviderError]:
    """Put one message to an agent: its client, the seconds that passed, and how it ended."""
    client, clock = ScriptedClient(list(script)), RecordedClock()
    agent = Agent(client=client, model="m", system="", seams=Seams("run", clock, Random(seed)))
    try:
        ended: AgentState | ProviderError = asyncio.run(agent.run(AgentState(), "go"))
    except ProviderError as error:
        ended = error
    return client, clock.now() / 1e9, ended


def test_a_transient_error_is_tried_again() -> None:
    """The same request goes out again after the provider's own pause, and the retry is no further model call."""
    client, waited, ended = run(TransientError("busy", status=429, retry_after=2.5), says("ok"))
    assert isinstance(ended, AgentState)
    assert (ended.answer, ended.calls, waited) == ("ok", 1, 2.5)
    assert client.requests[0] == client.requests[1]


def test_three_attempts_at_most() -> None:
    """The third failure is raised, in its class and with its status, and says how often we tried."""
    client, _, ended = run(*[TransientError("busy", status=503, code="overloaded")] * 5)
    assert isinstance(ended, TransientError)
    assert str(ended) == "gave up after 3 attempts: busy"
    assert (ended.status, ended.code, len(client.requests)) == (503, "overloaded", ATTEMPTS)


@pytest.mark.parametrize("kind", [FatalError, ModelError, LogicError])
def test_no_other_error_is_tried_again(kind: type[ProviderError]) -> None:
    """What a pause can't mend is raised as it is after one request, in no time."""
    error = kind("no")
    client, waited, ended = run(error, says("ok"))
    assert (ended, waited, len(client.requests)) == (error, 0, 1)


def test_the_wait_is_capped() -> None:
    """A provider that asks for an hour is asked again after a minute."""
    _, waited, _ = run(TransientError("busy", retry_after=3600), says("ok"))
    assert waited == LONGEST_WAIT


def test_each_model_call_has_its_own_attempts() -> None:
    """Attempts used for one turn's call are not missing in the next."""
    client = ScriptedClient([TransientError("busy")] * 2 + [says("one")] + [TransientError("busy")] * 2 + [says("two")])
    agent = Agent(client=client, model="m", system="", seams=Seams("run", RecordedClock(), Random(1)))

    async def talk() -> AgentState:
        return await agent.run(await agent.run(AgentState(), "1"), "2")

    assert asyncio.run(talk()).answer == "two"


def test_the_pauses_are_the_seeds() -> None:
    """One seed gives the same pauses, another gives others."""
    script = [TransientError("busy"), TransientError("busy"), says("ok")]
    assert run(*script, seed=1)[1] == run(*script, seed=1)[1]
    assert run(*script, seed=1)[1] != run(*script, seed=2)[1]


@given(seed=st.integers(), retry_after=st.none() | st.floats(0, 1e6))
def test_pauses_grow_within_bounds(seed: int, retry_after: float | None) -> None:
    """Without a word from the provider a pause doubles, less up to half as jitter; with one it is obeyed to the cap."""
    random = Random(seed)
    pauses = [pause_before(attempt, retry_after, random) for attempt in range(2, 6)]
    if retry_after is not None:
        assert set(pauses) == {min(retry_after, LONGEST_WAIT)}
        return
    for number, pause in enumerate(pauses):
        assert FIRST_PAUSE * 2**number / 2 <= pause <= FIRST_PAUSE * 2**number
    assert all(later >= earlier for earlier, later in pairwise(pauses))
