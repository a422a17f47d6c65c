"""A trial whose traffic holds secrets replays with other secrets, or none."""

from __future__ import annotations

import gzip
import json
import logging
from itertools import pairwise

import pytest

from harness.cassettes import RecordSession, ReplaySession
from harness.cassettes.writing import write_exchange
from harness.errors import CassetteMissError
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.records.redaction import Redaction
from harness.seams import RecordedClock, SystemClock
from harness.secrets import declaring

URL = "https://api.openai.com/v1/chat/completions"


def request(text: str, **headers: str) -> HttpRequest:
    """A model call that says something."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    return HttpRequest(method="POST", uri=URL, headers=tuple(headers.items()), body=body)


def record(sent: HttpRequest, said: bytes, *pieces: bytes, kind: str = "application/json") -> Exchange:
    """The exchange as it was kept."""
    session = RecordSession(clock=SystemClock(), journal=None)
    recording = session.meet(sent)
    recording.answer(HttpResponse(status=200, headers=(("content-type", kind),)))
    for piece in (said, *pieces):
        recording.add(piece)
    recording.end()
    return session.played[0].exchange


def replay(*kept: Exchange) -> ReplaySession:
    """A session that answers from these."""
    return ReplaySession(Cassette(exchanges=kept), clock=RecordedClock())


def test_another_key_is_answered_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a variable is another one at the replay, of another length."""
    monkeypatch.setenv("SHOP_TOKEN", "a-long-value-on-the-laptop")
    kept = record(request("use a-long-value-on-the-laptop"), b"{}")
    monkeypatch.setenv("SHOP_TOKEN", "ci-value")
    assert replay(kept).meet(request("use ci-value")).exchange.response == kept.response
    with pytest.raises(CassetteMissError):
        replay(kept).meet(request("use another one"))


def test_a_key_that_is_in_no_variable_is_known_by_its_header() -> None:
    """A server says back what it was sent: `Incorrect API key provided`."""
    key = "handed-over-by-a-vault"
    kept = record(request("hello", authorization=f"Bearer {key}"), f'{{"error": "wrong key {key}"}}'.encode())
    assert key not in write_exchange(kept)
    assert kept.response.body == b'{"error": "wrong key *masked***************"}'


def test_a_secret_that_the_model_said_comes_back() -> None:
    """The agent hands back the masked reply in its next request, and is answered."""
    key = "sk-proj-" + "Ab12" * 10
    first = record(request("make a key"), f'{{"made": "{key}"}}'.encode())
    second = record(request(f"you made {key}"), b"{}")
    session = replay(first, second)
    session.meet(request("make a key"))
    made = json.loads(first.response.body)["made"]
    assert session.meet(request(f"you made {made}")).exchange.response == second.response


@pytest.mark.parametrize("masked", ["sk-" + "*" * 48, "Bearer " + "*" * 30])
def test_earlier_recordings_still_answer(masked: str) -> None:
    """Their masks were as long as the key, and left its first letters."""
    key = masked.replace("*" * 30, "Ab12" * 9).replace("*" * 48, "Ab12" * 12)
    exchange = Exchange(request=request(masked), response=HttpResponse(status=200, body=b"{}"))
    assert replay(exchange).meet(request(key)).exchange.response == exchange.response


def test_a_secret_in_a_foreign_recording_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody masked it, it is masked on both sides."""
    monkeypatch.setenv("SHOP_TOKEN", "ci-value")
    exchange = Exchange(request=request("sk-proj-" + "Ab12" * 10), response=HttpResponse(status=200))
    assert replay(exchange).meet(request("sk-proj-" + "Cd34" * 12)).exchange.response == exchange.response


def test_redacted_values_still_answer() -> None:
    """Each customer gets their own answer, and is in no recording."""
    with declaring(Redaction(emails=True, paths=("user",))):
        ada, bob = (record(request(f"I am {name}@example.com"), b"%d" % number) for number, name in enumerate("ab"))
        assert "example.com" not in write_exchange(ada) + write_exchange(bob)
        session = replay(ada, bob)
        assert session.meet(request("I am b@example.com")).exchange.response.body == b"1"
        assert session.meet(request("I am a@example.com")).exchange.response.body == b"0"
        with pytest.raises(CassetteMissError):
            session.meet(request("I am c@example.com"))


@pytest.mark.parametrize("cuts", [(3, 8), (1, 2, 3, 20), (12,)])
@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        ("chat", '{"choices":[{"index":0,"delta":{"content":%s}}]}'),
        (
            "chat arguments",
            '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":%s}}]}}]}',
        ),
        (
            "responses",
            '{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":%s}',
        ),
        ("messages", '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%s}}'),
        (
            "messages input",
            '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":%s}}',
        ),
    ],
)
def test_a_secret_in_pieces_is_masked_in_each(kind: str, frame: str, cuts: tuple[int, ...]) -> None:
    """Over the deltas of one text or one tool's arguments, in each protocol; the frames keep their sizes."""
    key = "sk-proj-" + "Ab12" * 8
    said = '{"a": "' + key + '"}' if kind.endswith(("arguments", "input")) else "it is " + key + " ."
    places = [0, *(said.index(key) + cut for cut in cuts), len(said)]
    texts = [said[start:end] for start, end in pairwise(places)]
    frames = [f"data: {frame % json.dumps(text)}\n\n".encode() for text in texts]
    kept = record(request("hello"), *frames, kind="text/event-stream").response
    assert [chunk.size for chunk in kept.chunks] == list(map(len, frames))
    assert len(kept.body) == sum(map(len, frames))
    data = [json.loads(line[6:]) for line in kept.body.decode().splitlines() if line]
    whole = "".join(filter(None, (text_of(event) for event in data)))
    assert "Ab12" not in kept.body.decode().replace("\\", "")
    assert whole == said.replace(key, "*masked" + "*" * (len(key) - 7))


def test_a_packed_request_is_looked_into() -> None:
    """It is kept unpacked and masked, and answers; where it holds no secret it stays as it is."""
    plain = gzip.compress(b"hello")
    assert record(HttpRequest(method="POST", uri=URL, body=plain), b"{}").request.body == plain
    kept = record(HttpRequest(method="POST", uri=URL, body=gzip.compress(b"sk-proj-" + b"Ab12" * 9)), b"{}")
    assert kept.request.body == b"*masked*"
    again = HttpRequest(method="POST", uri=URL, body=gzip.compress(b"sk-proj-" + b"Cd34" * 12, mtime=7))
    assert replay(kept).meet(again).exchange.response == kept.response


def test_pieces_of_a_list_are_one_text() -> None:
    """Gemini streams one JSON list over many lines."""
    items = [
        {"candidates": [{"content": {"parts": [{"text": text}]}, "index": 0}]} for text in ("sk-proj-", "Ab12" * 8)
    ]
    kept = record(request("hello"), json.dumps(items, indent=2).encode()).response
    assert b"Ab12" not in kept.body
    assert len(json.loads(kept.body)) == 2


def text_of(event: object) -> str:
    """The one text of an event that is longest: the delta."""
    if isinstance(event, dict):
        return max(
            (text_of(value) for key, value in event.items() if key not in ("type", "item_id")), default="", key=len
        )
    if isinstance(event, list):
        return max(map(text_of, event), default="", key=len)
    return event if isinstance(event, str) else ""


def test_two_texts_of_one_stream_are_not_mixed() -> None:
    """What would be a secret only if two choices were read as one is none."""
    pieces = [(0, "sk-proj-"), (1, "Ab12" * 8), (0, " is how a key begins")]
    events = [{"choices": [{"index": index, "delta": {"content": text}}]} for index, text in pieces]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    assert record(request("hello"), body, kind="text/event-stream").response.body == body


def test_a_short_value_in_a_stream_grows_its_chunk() -> None:
    """A pseudonym may be longer than what it stands for; the chunk that holds it grows with it."""
    with declaring(Redaction(patterns=(("pin", r"\d{4}"),))):
        kept = record(request("hello"), b"data: 1", b"234\n\n", b"data: x\n\n", kind="text/event-stream").response
    assert kept.body.startswith(b"data: *pin:")
    assert sum(chunk.size for chunk in kept.chunks) == len(kept.body)
    assert kept.chunks[-1].size == 9


def frame(payload: bytes) -> bytes:
    """One frame of Amazon's binary streams, its sums left out."""
    return (16 + len(payload)).to_bytes(4) + bytes(8) + payload + bytes(4)


def test_what_a_mask_would_break_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    """A binary stream has check sums: its body goes, the exchange stays, and the place is named."""
    pieces = [frame(b'{"delta":{"text":"%s"}}' % text) for text in (b"sk-proj-Ab12", b"Ab12" * 8)]
    with caplog.at_level(logging.WARNING):
        kept = record(request("hello"), *pieces, kind="application/vnd.amazon.eventstream").response
    assert b"Ab12" not in kept.body
    assert b"could not be masked" in kept.body
    assert "response's body" in caplog.text
    assert "Ab12" not in caplog.text
    clean = frame(b'{"delta":{"text":"hi"}}')
    assert record(request("hello"), clean, kind="application/vnd.amazon.eventstream").response.body == clean


def test_a_request_that_was_refused_is_named_without_its_key() -> None:
    """The reason ends up in the report, and it holds the address."""
    for session in (replay(), RecordSession(clock=SystemClock(), journal=None)):
        session.refuse("GET https://x/?token=canary1&b=2 was sent from a bare thread", "GET https://u:canary2@x/")
        assert session.mismatch is not None
        assert session.mismatch.cause == "GET https://x/?token=*masked*&b=2 was sent from a bare thread"
        assert session.mismatch.current == "GET https://*masked*@x/"
