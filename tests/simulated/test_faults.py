"""What goes wrong on purpose: errors in each provider's shape, cut and slow streams, dropped connections."""

from __future__ import annotations

import time

import anthropic
import httpx2
import openai
import pytest

SAID = [{"role": "user", "content": "Hello"}]


def script(rule: str) -> str:
    """One rule, then an answer."""
    return f"match: {{user: Hello}}\nrules:\n  - {rule}\n  - say: Here I am again, after all that.\n"


def ask_chat(client: openai.OpenAI, **further):
    """One plain chat call."""
    return client.chat.completions.create(model="gpt-4o-mini", messages=SAID, **further)


def ask_claude(client: anthropic.Anthropic, **further):
    """One plain Messages call."""
    return client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=SAID, **further)


OPENAI_ERRORS = [
    (400, openai.BadRequestError, "invalid_request_error"),
    (401, openai.AuthenticationError, "invalid_request_error"),
    (403, openai.PermissionDeniedError, "invalid_request_error"),
    (404, openai.NotFoundError, "invalid_request_error"),
    (409, openai.ConflictError, "invalid_request_error"),
    (429, openai.RateLimitError, "requests"),
    (500, openai.InternalServerError, "server_error"),
    (503, openai.InternalServerError, "server_error"),
]


@pytest.mark.parametrize(("status", "error", "kind"), OPENAI_ERRORS)
def test_openai_errors(start, status, error, kind):
    """The SDK raises the exception of each status on both protocols, with type, retry-after and request id."""
    url = start(script(f"fail: {{status: {status}, retry_after: 0.2}}"))
    with openai.OpenAI(base_url=f"{url}/v1", api_key="simulated", max_retries=0) as client:
        for ask in (ask_chat, lambda client: client.responses.create(model="gpt-4o-mini", input="Hello")):
            with pytest.raises(error, match=f"Error code: {status}") as caught:
                ask(client)
            assert caught.value.type == kind
            assert set(caught.value.body) == {"message", "type", "param", "code"}
            assert caught.value.request_id.startswith("req_")
            headers = caught.value.response.headers
            assert (headers["retry-after-ms"], headers["retry-after"]) == ("200", "1")
            assert headers["x-simulated-provider"] == "agent-regression-harness"


CLAUDE_ERRORS = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (413, anthropic.RequestTooLargeError, "request_too_large"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (529, anthropic.OverloadedError, "overloaded_error"),
]


@pytest.mark.parametrize(("status", "error", "kind"), CLAUDE_ERRORS)
def test_anthropic_errors(start, status, error, kind):
    """The SDK raises the exception of each status, with type, retry-after and request id."""
    url = start(script(f"fail: {{status: {status}, retry_after: 0.2}}"))
    with (
        anthropic.Anthropic(base_url=url, api_key="simulated", max_retries=0) as client,
        pytest.raises(error, match=f"Error code: {status}") as caught,
    ):
        ask_claude(client)
    assert caught.value.body["error"]["type"] == kind
    assert caught.value.body["request_id"] == caught.value.request_id
    assert caught.value.response.headers["retry-after"] == "0.2"


def test_quota_keeps_its_code(start):
    """A scripted code and message replace the usual ones."""
    url = start(script("fail: {status: 429, code: insufficient_quota}"))
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="simulated", max_retries=0) as client,
        pytest.raises(openai.RateLimitError, match="exceeded your current quota") as caught,
    ):
        ask_chat(client)
    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")


def test_times_meets_every_trial_alike(start):
    """Of three equal requests with ``times: 2`` two fail and one passes, again and again."""
    url = start(script("fail: {status: 429, times: 2}"))
    outcomes = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key="simulated", max_retries=0) as client:
        for _ in range(6):
            try:
                outcomes.append(ask_chat(client).choices[0].message.content)
            except openai.RateLimitError as error:
                outcomes.append(error.status_code)
    assert outcomes == [429, 429, "Here I am again, after all that."] * 2


def test_the_sdk_recovers_by_its_own_retry(start):
    """An SDK with retries rides out a rate limit, and waits what it was told to."""
    url = start(script("fail: {status: 429, times: 1, retry_after: 0.01}"))
    with anthropic.Anthropic(base_url=url, api_key="simulated", max_retries=1) as client:
        assert ask_claude(client).content[0].text == "Here I am again, after all that."


def test_a_dropped_connection(start):
    """The SDK sees a connection error where the request is dropped, and an answer the next time."""
    url = start(script("drop: {times: 1}"))
    with openai.OpenAI(base_url=f"{url}/v1", api_key="simulated", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError, match="Connection error"):
            ask_chat(client)
        assert ask_chat(client).choices[0].message.content == "Here I am again, after all that."


CUT = 'match: {user: Hello}\nrules: [{say: "One two three four five.", cut: {after_chunks: 3, times: 1}}]\n'


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
def test_a_cut_stream_breaks_after_the_events_that_were_promised(start, path):
    """Three whole events arrive, then the connection ends without the end of the body; the next stream is whole."""
    url = start(CUT)
    body = {"model": "m", "max_tokens": 9, "messages": SAID, "input": "Hello", "stream": True}
    headers = {"authorization": "Bearer simulated", "anthropic-version": "2023-06-01"}
    pieces: list[bytes] = []
    with httpx2.Client() as client:
        with client.stream("POST", url + path, json=body, headers=headers) as response:
            assert response.status_code == 200
            with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
                pieces.extend(response.iter_raw())
        whole = client.post(url + path, json=body, headers=headers)
    received = b"".join(pieces)
    assert received.count(b"\n\n") == 3
    assert received.endswith(b"\n\n")
    assert whole.text.count("\n\n") > 6


def test_a_cut_stream_through_the_sdks(start):
    """The SDKs raise in the middle of the stream."""
    url = start(CUT)
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="simulated", max_retries=0) as client,
        pytest.raises((httpx2.RemoteProtocolError, openai.APIConnectionError)),
    ):
        list(ask_chat(client, stream=True))
    with (
        anthropic.Anthropic(base_url=url, api_key="simulated", max_retries=0) as client,
        pytest.raises((httpx2.RemoteProtocolError, anthropic.APIConnectionError)),
    ):
        list(ask_claude(client, stream=True))


def test_a_cut_plain_reply_breaks_in_the_middle(start):
    """The announced length is not reached."""
    url = start('match: {user: Hello}\nrules: [{say: "One two three.", cut: {after_chunks: 1}}]\n')
    with (
        httpx2.Client(headers={"authorization": "Bearer simulated"}) as client,
        pytest.raises(httpx2.RemoteProtocolError, match="without sending complete message body"),
    ):
        client.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": SAID})


def test_a_slow_stream_arrives_piece_by_piece(start):
    """Each event is on the wire before the next one is made: pieces and their gaps are seen one by one."""
    url = start("match: {user: Hello}\nrules: [{say: One two three., slow: {head_ms: 60, chunk_ms: 30}}]\n")
    with httpx2.Client(headers={"authorization": "Bearer simulated"}) as client:
        sent = time.monotonic()
        body = {"model": "m", "messages": SAID, "stream": True}
        with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
            began = time.monotonic()
            pieces = [(time.monotonic(), piece) for piece in response.iter_raw()]
    assert began - sent >= 0.06
    events = b"".join(piece for _, piece in pieces).count(b"\n\n")
    assert events == 7
    assert len(pieces) == events
    assert pieces[-1][0] - pieces[0][0] >= 0.03 * (events - 2)


def test_a_client_that_leaves_harms_nobody(start):
    """The server goes on after a client closes in the middle of a slow stream."""
    url = start("match: {user: Hello}\nrules: [{say: One two three., slow: {chunk_ms: 5}}]\n")
    with openai.OpenAI(base_url=f"{url}/v1", api_key="simulated") as client:
        stream = ask_chat(client, stream=True)
        next(iter(stream))
        stream.close()
        assert ask_chat(client).choices[0].message.content == "One two three."
