"""The official SDKs record through us, and replay from the file: through us, and through stock vcrpy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import vcr

from harness.cassettes import RecordSession, ReplaySession, intercepted, load_cassette, routed, save_cassette
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, CassetteMetadata, Ending
from harness.seams import RecordedClock, SystemClock

MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]


def converse(base: str) -> list[object]:
    """A plain chat, a streamed one and a message: what the SDKs make of the replies."""
    chat = openai.OpenAI(api_key="sk-test", base_url=f"{base}/v1", max_retries=0)
    claude = anthropic.Anthropic(api_key="sk-test", base_url=base, max_retries=0)
    with chat, claude:
        plain = chat.chat.completions.create(model="gpt-5-mini", messages=MESSAGES)
        stream = chat.chat.completions.create(model="gpt-5-mini", messages=MESSAGES, stream=True)
        chunks = [chunk.model_dump() for chunk in stream]
        message = claude.messages.create(model="claude-any", max_tokens=9, messages=MESSAGES)
        return [plain.model_dump(), chunks, message.model_dump()]


@pytest.fixture
def recorded(server: Any, tmp_path: Path) -> tuple[Path, list[object], Any]:
    """A file with those three exchanges, what they gave live, and the server."""
    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session):
        live = converse(server.url)
    assert ("x-simulated-provider", "yes") in session.played[0].exchange.response.headers
    metadata = CassetteMetadata(
        scenario="sdk", case="default", trial=1, recorded_at="2026-03-01T10:00:00Z", recorded_from="a test"
    )
    file = tmp_path / "c.yaml"
    save_cassette(file, Cassette(metadata=metadata, exchanges=tuple(each.exchange for each in session.played)))
    return file, live, server


def test_the_sdks_cannot_tell_a_replay(recorded: tuple[Path, list[object], Any]) -> None:
    """The same objects come back, on any port, and the server hears nothing."""
    file, live, server = recorded
    session = ReplaySession(load_cassette(file), clock=RecordedClock())
    with intercepted(), routed(session):
        assert converse("http://127.0.0.1:1") == live
    assert session.unplayed == ()
    assert server.count == 3


def test_stock_vcrpy_replays_the_file(recorded: tuple[Path, list[object], Any]) -> None:
    """Stock vcrpy, matching on the body too, gives the bare SDKs the same objects."""
    file, live, server = recorded
    with vcr.use_cassette(str(file), record_mode="none", match_on=["method", "uri", "body"]):
        assert converse(server.url) == live
    assert server.count == 3


def test_a_stream_read_to_its_last_event_is_complete(recorded: tuple[Path, list[object], Any]) -> None:
    """The SDK's way of ending a stream is no abandonment, and chunks are kept for streams alone."""
    exchanges = load_cassette(recorded[0]).exchanges
    assert [each.response.ending for each in exchanges] == [Ending.COMPLETE] * 3
    assert [bool(each.response.chunks) for each in exchanges] == [False, True, False]


def test_no_sdk_retry_swallows_a_miss(server: Any) -> None:
    """With the SDKs' own retries on, a miss still comes through at once."""
    for client in (openai.OpenAI, anthropic.Anthropic):
        session = ReplaySession(Cassette(exchanges=()), clock=RecordedClock())
        sdk: Any = client(api_key="sk-test", base_url=server.url, max_retries=3)
        with sdk, intercepted(), routed(session), pytest.raises(CassetteMissError):
            sdk.post("/v1/chat/completions", body={"model": "m", "messages": MESSAGES}, cast_to=object)
        assert session.mismatch is not None
    assert server.count == 0


def test_the_file_reads_well(recorded: tuple[Path, list[object], Any]) -> None:
    """Metadata first, one-line bodies on one line, streams as they look on the wire, and no key."""
    lines = recorded[0].read_text(encoding="utf-8").splitlines()
    assert lines[:4] == ["version: 1", "metadata:", "  harness: 1", "  scenario: 'sdk'"]
    body = next(line for line in lines if line.lstrip().startswith("body: '"))
    assert body == """    body: '{"model":"gpt-5-mini","messages":[{"role":"user","content":"Hi"}]}'"""
    assert "        data: [DONE]" in lines
    assert "sk-test" not in "\n".join(lines)


def test_no_sdk_is_imported_by_us() -> None:
    """The room itself needs neither SDK nor vcrpy."""
    import subprocess

    code = (
        "import sys, harness.cassettes as room\n"
        "with room.intercepted(): room.assert_in_path()\n"
        "print(sorted({'openai', 'anthropic', 'vcr', 'requests', 'aiohttp', 'httpx', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


STORED = {
    "/v1/responses": {
        "id": "resp_N",
        "object": "response",
        "created_at": 1767225600,
        "status": "completed",
        "model": "gpt-5-mini",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    },
    "/v1/conversations": {"id": "conv_N", "object": "conversation", "created_at": 1767225600, "metadata": {}},
    "/v1/threads": {"id": "thread_N", "object": "thread", "created_at": 1767225600, "metadata": {}},
    "/v1/threads/messages": {"id": "msg_N", "object": "thread.message", "created_at": 1, "thread_id": "thread_1"},
    "/v1/threads/runs": {"id": "run_N", "object": "thread.run", "created_at": 1, "status": "completed"},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the Assistants API is going away, its users are not
def test_conversations_stored_at_the_provider_replay(server: Any) -> None:
    """Each turn of previous_response_id, conversation and Assistants threads finds its own answer, and only that."""
    server.answers = STORED

    def converse_stored() -> list[str]:
        with openai.OpenAI(api_key="sk-test", base_url=f"{server.url}/v1", max_retries=0) as client:
            first = client.responses.create(model="gpt-5-mini", input="Hi", store=True)
            second = client.responses.create(model="gpt-5-mini", input="Hi", previous_response_id=first.id)
            third = client.responses.create(model="gpt-5-mini", input="Hi", previous_response_id=second.id)
            kept = client.conversations.create()
            fourth = client.responses.create(model="gpt-5-mini", input="Hi", conversation=kept.id)
            fifth = client.responses.create(model="gpt-5-mini", input="Hi", conversation=kept.id)
            thread = client.beta.threads.create()
            message = client.beta.threads.messages.create(thread.id, role="user", content="Hi")
            run = client.beta.threads.runs.create(thread.id, assistant_id="asst_1")
            again = client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
            return [each.id for each in (first, second, third, kept, fourth, fifth, thread, message, run, again)]

    session = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(session):
        live = converse_stored()
    assert len(set(live)) == len(live) == server.count == 10
    cassette = Cassette(exchanges=tuple(each.exchange for each in session.played))
    replayed = ReplaySession(cassette, clock=RecordedClock())
    with intercepted(), routed(replayed):
        assert converse_stored() == live
    assert replayed.unplayed == ()
    assert server.count == 10
    with (
        openai.OpenAI(api_key="sk-test", base_url=f"{server.url}/v1", max_retries=0) as client,
        intercepted(),
        routed(ReplaySession(cassette, clock=RecordedClock())),
        pytest.raises(CassetteMissError),
    ):
        client.responses.create(model="gpt-5-mini", input="Hi", previous_response_id="resp_of_another")
