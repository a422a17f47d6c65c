"""The clients over a real socket: what they send, what they refuse as broken, which loop and SDK they use."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from harness.errors import FatalError, InterceptionError, LogicError, ModelError, ProviderError, TransientError
from harness.providers import api_for, connect
from harness.providers.connections import shared_connection
from harness.records.message import Api, ModelRequest, OutputSchema, StopReason, ToolDefinition, UserMessage
from harness.virtual import VirtualLoop
from harness.wire.codecs import codec_for

ASK = ModelRequest(model="some-model", messages=(UserMessage(text="Hello"),))
STREAM = ASK.model_copy(update={"stream": True})
WHOLE: dict[Api, dict[str, Any]] = {
    Api.OPENAI_CHAT: {"id": "c", "model": "m", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
    Api.OPENAI_RESPONSES: {
        "id": "r",
        "model": "m",
        "status": "completed",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}],
    },
    Api.ANTHROPIC_MESSAGES: {
        "id": "a",
        "model": "m",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
    },
}
EVENTS: dict[Api, list[dict[str, Any]]] = {
    Api.OPENAI_CHAT: [
        {"choices": [{"index": 0, "delta": {"content": "Hi"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ],
    Api.OPENAI_RESPONSES: [
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.completed", "response": WHOLE[Api.OPENAI_RESPONSES]},
    ],
    Api.ANTHROPIC_MESSAGES: [
        {"type": "message_start", "message": {"id": "a", "model": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ],
}
EVERY_API = pytest.mark.parametrize("api", list(Api))


def as_stream(events: list[dict[str, Any]]) -> bytes:
    """The events as a provider sends them."""
    return "".join(f"event: {e.get('type', 'chunk')}\ndata: {json.dumps(e)}\n\n" for e in events).encode()


@EVERY_API
async def test_a_plain_answer(api: Api, loopback: Any) -> None:
    """A minimal answer is read, and usage that nobody sent is unknown, not zero."""
    loopback.answer(WHOLE[api])
    reply = await connect(api).complete(ASK)
    assert (reply.message.text, reply.stop, reply.usage) == ("Hi", StopReason.END, None)


@EVERY_API
async def test_a_streamed_answer_is_told_as_it_comes(api: Api, loopback: Any) -> None:
    """The pieces of text are handed on, and the whole reply equals the plain one."""
    loopback.answer(as_stream(EVENTS[api]), content_type="text/event-stream")
    pieces: list[str] = []
    reply = await connect(api).complete(STREAM, pieces.append)
    assert (pieces, reply.message.text, reply.stop) == (["Hi"], "Hi", StopReason.END)
    assert loopback.bodies[0]["stream"] is True


@EVERY_API
async def test_a_piece_arrives_before_the_stream_ends(api: Api, loopback: Any) -> None:
    """A callback that raises stops the call, so the pieces are not collected first."""
    loopback.answer(as_stream(EVENTS[api][:-1]), content_type="text/event-stream")

    def interrupt(piece: str) -> None:
        raise KeyError(piece)

    with pytest.raises(KeyError, match="Hi"):
        await connect(api).complete(STREAM, interrupt)


@EVERY_API
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>we are down</html>", "text/html"),
        (b"{}", "application/json"),
        (b'{"choices": [], "output": [], "status": "completed"}', "application/json"),
        (b'{"id": "x", "cho', "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"", "application/json"),
    ],
)
async def test_a_broken_success_is_transient(api: Api, body: bytes, content_type: str, loopback: Any) -> None:
    """What an SDK hands back as success and is no reply becomes an error that may be retried."""
    loopback.answer(body, content_type=content_type)
    with pytest.raises(TransientError, match="reply is broken"):
        await connect(api).complete(ASK)


@EVERY_API
@pytest.mark.parametrize("kept", [0, 1])
async def test_a_stream_without_its_last_frame_is_transient(api: Api, kept: int, loopback: Any) -> None:
    """A stream that ends early in good order is no short answer."""
    loopback.answer(as_stream(EVENTS[api][:kept]), content_type="text/event-stream")
    with pytest.raises(TransientError, match="ends before its last frame"):
        await connect(api).complete(STREAM)


@EVERY_API
@pytest.mark.parametrize("request_", [ASK, STREAM], ids=["plain", "streamed"])
async def test_a_lost_connection_is_transient(api: Api, request_: ModelRequest, loopback: Any) -> None:
    """A connection that closes before the announced length is an error of the way, with its name."""
    loopback.answer(as_stream(EVENTS[api][:1]), content_type="text/event-stream", cut=True)
    with pytest.raises(TransientError, match="could not be reached, or hung up: RemoteProtocolError"):
        await connect(api).complete(request_)


@EVERY_API
async def test_broken_json_inside_a_stream_is_transient(api: Api, loopback: Any) -> None:
    """An event that is no JSON breaks the reply."""
    loopback.answer(b'event: message_start\ndata: {"type": "mess\n\n', content_type="text/event-stream")
    with pytest.raises(TransientError, match="reply is broken: it is not JSON"):
        await connect(api).complete(STREAM)


OVERLOADED = {
    Api.OPENAI_CHAT: {"error": {"type": "server_error", "code": None, "message": "Sorry"}},
    Api.OPENAI_RESPONSES: {"type": "error", "code": "server_error", "message": "Sorry", "param": None},
    Api.ANTHROPIC_MESSAGES: {"type": "error", "error": {"type": "overloaded_error", "message": "Sorry"}},
}


@EVERY_API
async def test_an_error_inside_a_stream_is_classified(api: Api, loopback: Any) -> None:
    """A provider that fails after its 200 is told by its own words."""
    loopback.answer(as_stream([EVENTS[api][0], OVERLOADED[api]]), content_type="text/event-stream")
    with pytest.raises(TransientError, match=r"answered (server|overloaded)_error: Sorry"):
        await connect(api).complete(STREAM)


async def test_a_failed_response_is_classified(loopback: Any) -> None:
    """The Responses API reports a failed run as a success that holds an error."""
    loopback.answer({"id": "r", "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow"}})
    with pytest.raises(TransientError, match="rate_limit_exceeded: Slow"):
        await connect(Api.OPENAI_RESPONSES).complete(ASK)


@EVERY_API
@pytest.mark.parametrize(
    ("status", "kind", "wanted"),
    [
        (429, "rate_limit_error", TransientError),
        (529, "overloaded_error", TransientError),
        (500, "x", TransientError),
        (429, "insufficient_quota", FatalError),
        (401, "authentication_error", FatalError),
        (422, "x", LogicError),
        (400, "context_length_exceeded", ModelError),
    ],
)
async def test_an_http_error_is_classified(
    api: Api, status: int, kind: str, wanted: type[ProviderError], loopback: Any
) -> None:
    """Type before status; one request is sent, because retrying is the agent's."""
    loopback.answer({"error": {"type": kind, "message": "No"}}, status=status, headers={"retry-after": "1.5"})
    with pytest.raises(wanted, match=f"answered {status} {kind}: No") as caught:
        await connect(api).complete(ASK)
    assert (caught.value.status, caught.value.code, len(loopback.bodies)) == (status, kind, 1)
    assert getattr(caught.value, "retry_after", 1.5) == 1.5


@EVERY_API
async def test_nobody_listens(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is transient."""
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9")
        monkeypatch.setenv(f"{name}_API_KEY", "test-key")
    with pytest.raises(TransientError, match="could not be reached"):
        await connect(api).complete(ASK)


@EVERY_API
async def test_a_missing_key_is_fatal(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable to set."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FatalError, match=r"has no key; set (OPENAI|ANTHROPIC)_API_KEY"):
        await connect(api).complete(ASK)


@EVERY_API
async def test_an_error_of_ours_in_the_transport_stays_ours(api: Api, loopback: Any) -> None:
    """Refused interception is not mistaken for a lost connection, which an agent would retry."""
    client = connect(api)
    loopback.answer(WHOLE[api])
    await client.complete(ASK)
    sdk = await shared_connection("anthropic" if api is Api.ANTHROPIC_MESSAGES else "openai", lambda: None)

    async def refuse(request: Any) -> None:
        raise InterceptionError("not in the path")

    sdk._client.event_hooks = {"request": [refuse]}
    with pytest.raises(InterceptionError, match="not in the path"):
        await client.complete(ASK)


@EVERY_API
def test_clients_survive_their_event_loop(api: Api, loopback: Any) -> None:
    """One client object serves one loop after the other, and two at once in threads, over a server that keeps alive."""
    client = connect(api)

    async def ask() -> list[str]:
        replies = [await client.complete(ASK), await client.complete(ASK)]
        return [reply.message.text for reply in replies]

    for _ in range(12):
        loopback.answer(WHOLE[api])
    assert asyncio.run(ask()) == asyncio.run(ask()) == ["Hi", "Hi"]
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(ask()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [["Hi", "Hi"]] * 4


def test_a_loop_closes_its_connections(loopback: Any) -> None:
    """When a loop shuts down its client is closed, so no socket is left for the garbage collector to complain about."""
    loopback.answer(WHOLE[Api.OPENAI_CHAT])

    async def ask() -> Any:
        await connect(Api.OPENAI_CHAT).complete(ASK)
        return await shared_connection("openai", lambda: None)

    assert asyncio.run(ask()).is_closed()


def test_replayed_trials_share_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """One client serves the loops of all, until the environment that it was built from is another."""

    def client_of_a_trial() -> object:
        return VirtualLoop(patience=60).run(shared_connection("any", object))

    first = client_of_a_trial()
    assert client_of_a_trial() is first
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.test/v1")
    second = client_of_a_trial()
    assert second is not first
    assert client_of_a_trial() is second


async def test_both_openai_protocols_share_a_client(loopback: Any) -> None:
    """Building a client takes longer than a replayed call."""
    loopback.answer(WHOLE[Api.OPENAI_CHAT])
    loopback.answer(WHOLE[Api.OPENAI_RESPONSES])
    await connect(Api.OPENAI_CHAT).complete(ASK)
    first = await shared_connection("openai", lambda: None)
    await connect(Api.OPENAI_RESPONSES).complete(ASK)
    assert await shared_connection("openai", lambda: None) is first is not None
    assert loopback.paths == ["/v1/chat/completions", "/v1/responses"]


@pytest.mark.parametrize(
    ("api", "other"),
    [(Api.OPENAI_CHAT, "anthropic"), (Api.OPENAI_RESPONSES, "anthropic"), (Api.ANTHROPIC_MESSAGES, "openai")],
)
def test_one_sdk_never_imports_the_other(api: Api, other: str) -> None:
    """Importing the room loads no SDK; connecting loads exactly its own."""
    code = (
        "import sys; from harness.providers import connect; from harness.records.message import Api\n"
        "assert not {'openai', 'anthropic'} & sys.modules.keys()\n"
        f"connect(Api({api.value!r}))\n"
        "print(sorted({'openai', 'anthropic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([name for name in ("anthropic", "openai") if name != other])


@EVERY_API
def test_a_missing_sdk_names_the_extra(api: Api) -> None:
    """Without the SDK the error says what to install."""
    code = (
        "import sys; sys.modules['openai'] = sys.modules['anthropic'] = None\n"
        "from harness.providers import connect; from harness.records.message import Api\n"
        f"connect(Api({api.value!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    package = "anthropic" if api is Api.ANTHROPIC_MESSAGES else "openai"
    assert (
        f"FatalError: {api} needs the package {package}; pip install 'agent-regression-harness[{package}]'"
        in done.stderr
    )


def test_the_default_protocol_of_a_model() -> None:
    """Claude models speak Messages, all others Chat Completions."""
    assert api_for("claude-sonnet-4-5") is Api.ANTHROPIC_MESSAGES
    assert api_for("gpt-5-mini") is Api.OPENAI_CHAT


@EVERY_API
async def test_the_sdk_adds_nothing_to_a_body(api: Api, loopback: Any) -> None:
    """What goes over the wire is exactly what the codec wrote."""
    loopback.answer(WHOLE[api])
    tool = ToolDefinition(name="find", description="Finds.", parameters={"type": "object", "properties": {}})
    schema = OutputSchema(name="output", schema={"type": "object", "properties": {"a": {"type": "string"}}})
    request = ASK.model_copy(update={"tools": (tool,), "output": schema, "system": "Be short."})
    await connect(api).complete(request)
    assert loopback.bodies == [codec_for(api).encode(request)]
