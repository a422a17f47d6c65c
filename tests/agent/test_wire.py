"""The agent over the official SDKs and a real socket, on each protocol, plain and streamed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from harness.agent import Agent, AgentState, make_tool
from harness.errors import FatalError, TransientError
from harness.providers import connect
from harness.providers.simulated import running_provider
from harness.records.message import Api, ToolResult
from harness.seams import RecordedClock, Seams

MODELS = {
    Api.OPENAI_CHAT: "gpt-5-mini",
    Api.OPENAI_RESPONSES: "gpt-5-mini",
    Api.ANTHROPIC_MESSAGES: "claude-sonnet-4-5",
}

HARD_DAY = """\
match: {user: "How warm"}
rules:
  - when: {turn: 1}
    fail: {status: 429, retry_after: 7, times: 1}
  - when: {turn: 1}
    say: Let me look.
    call:
      - {tool: measure, arguments: {city: Bern}}
      - {tool: measure, arguments: {city: Atlantis}}
  - when: {tool: measure, result: "no station in Atlantis"}
    cut: {after_chunks: 3, times: 1}
    json: {city: Bern}
  - when: {user: "required form"}
    json: {city: Bern, degrees: 19}
"""
NO_KEY = """\
match: {user: "How warm"}
rules: [{fail: {status: 401}}]
"""
ALWAYS_CUT = """\
match: {user: "How warm"}
rules: [{say: Nineteen degrees., cut: {after_chunks: 2}}]
"""


class Report(BaseModel):
    """The form of the answer."""

    city: str
    degrees: int


def measure(city: str) -> dict[str, int]:
    """Measure the temperature in a city."""
    if city != "Bern":
        raise LookupError(f"no station in {city}")
    return {"degrees": 19}


async def ask(api: Api, stream: bool, clock: RecordedClock) -> AgentState:
    """Put one question to an agent on a protocol."""
    agent = Agent(
        client=connect(api),
        model=MODELS[api],
        system="You are a weather desk.",
        seams=Seams("run", clock),
        tools=(make_tool(measure),),
        output=Report,
        stream=stream,
    )
    return await agent.run(AgentState(), "How warm is it in Bern and Atlantis?")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs want keys, and get none that is real."""
    monkeypatch.setenv("OPENAI_API_KEY", "simulated")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "simulated")


def serve(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Point the SDKs at the simulated provider."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("api", list(Api))
async def test_a_hard_day_ends_well(api: Api, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate limit, two parallel calls of which one fails, a cut reply and a misformed answer: the answer still comes.

    The two waits are on the run's clock: the seven seconds that the provider asked for, and one pause of ours.
    """
    (tmp_path / "day.script.yaml").write_text(HARD_DAY)
    clock = RecordedClock()
    with running_provider([tmp_path]) as url:
        serve(monkeypatch, url)
        state = await ask(api, stream, clock)
    assert state.answer == {"city": "Bern", "degrees": 19}
    assert (state.calls, state.corrected) == (3, True)
    results = [(m.content, m.is_error) for m in state.messages if isinstance(m, ToolResult)]
    assert results == [('{"degrees":19}', False), ("measure failed: LookupError: no station in Atlantis", True)]
    assert 7.25 <= clock.now() / 1e9 <= 7.5


@pytest.mark.parametrize("api", list(Api))
async def test_a_wrong_key_stops_at_once(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Authentication is not retried: no time passes before the error."""
    (tmp_path / "key.script.yaml").write_text(NO_KEY)
    clock = RecordedClock()
    with running_provider([tmp_path]) as url:
        serve(monkeypatch, url)
        with pytest.raises(FatalError, match="401"):
            await ask(api, False, clock)
    assert clock.now() == 0


@pytest.mark.parametrize("api", list(Api))
async def test_a_reply_that_is_always_cut(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a stream never passes for an answer: after three of them the run ends in a clear error."""
    (tmp_path / "cut.script.yaml").write_text(ALWAYS_CUT)
    with running_provider([tmp_path]) as url:
        serve(monkeypatch, url)
        with pytest.raises(TransientError, match="gave up after 3 attempts"):
            await ask(api, True, RecordedClock())
