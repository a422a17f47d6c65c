"""Whatever a server sends, however it breaks off: recorded over a socket and replayed from the file, it is the same."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassettes import RecordSession, ReplaySession, intercepted, load_cassette, routed, save_cassette
from harness.errors import CassetteMissError
from harness.providers.simulated.anthropic import Messages
from harness.providers.simulated.chat import ChatCompletions
from harness.providers.simulated.dialect import Dialect
from harness.providers.simulated.identifiers import Identifiers
from harness.providers.simulated.reply import RejectedError, Reply
from harness.providers.simulated.responses import Responses
from harness.providers.simulated.script import ScriptedCall, Slow
from harness.records.exchange import Cassette, CassetteMetadata, Exchange, HttpRequest, HttpResponse
from harness.records.message import Api, StopReason, Usage
from harness.seams import RecordedClock, SystemClock
from tests.cassettes.plain_doors import DOORS, Door, Seen
from tests.cassettes.scripted_wire import End, Framing, Wire, WireServer, running_wire
from tests.cassettes.sdk_doors import converse, converse_async

PATIENT, SHORT = 20.0, 0.05
"""Seconds that a client waits for the next byte; the short one where the server stalls."""

few = settings(max_examples=max(settings().max_examples // 4, 1))
"""A share of the profile's examples, for properties that run once per client."""
fewer = settings(max_examples=max(settings().max_examples // 8, 1))
"""The same for those that run for each client, protocol and way of reading."""

METADATA = CassetteMetadata(
    scenario="any/thing", case="default", trial=1, recorded_at="2026-03-01T10:00:00Z", recorded_from="a test"
)


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    """The server of all examples; each has a path of its own."""
    with running_wire() as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cassettes go."""
    return tmp_path_factory.mktemp("cassettes")


def again(folder: Path, work: Callable[[], Any]) -> tuple[Any, Any, Cassette]:
    """Do the work over the wire, then from the file; what each gave, and what was on disk."""
    recording = RecordSession(clock=SystemClock(), journal=None)
    with intercepted(), routed(recording):
        live = work()
    recorded = Cassette(metadata=METADATA, exchanges=tuple(each.exchange for each in recording.played))
    save_cassette(folder / "c.yaml", recorded)
    loaded = load_cassette(folder / "c.yaml")
    assert loaded == recorded
    save_cassette(folder / "again.yaml", loaded)
    assert (folder / "again.yaml").read_bytes() == (folder / "c.yaml").read_bytes()
    session = ReplaySession(loaded, clock=RecordedClock())
    try:
        with intercepted(), routed(session):
            replayed = work()
    except CassetteMissError as miss:  # no Exception, so hypothesis would not shrink it
        raise AssertionError(miss, session.mismatch) from miss
    assert session.mismatch is None
    assert session.unplayed == ()
    return live, replayed, loaded


def cut_up(body: bytes, cuts: list[int]) -> tuple[bytes, ...]:
    """The body in pieces, none of them empty."""
    places = sorted({0, *(cut % (len(body) + 1) for cut in cuts), len(body)})
    return tuple(body[start:end] for start, end in itertools.pairwise(places))


def packed(body: bytes, coding: str) -> bytes:
    """The body in a content coding."""
    if coding == "gzip":
        return gzip.compress(body)
    if coding == "deflate":
        return zlib.compress(body)
    if coding == "raw deflate":
        squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return squeezer.compress(body) + squeezer.flush()
    return body


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
awkward = st.text(st.sampled_from("\n\r\t '\"\\:#|>-\u0085\u2028\ufeff\x00\x1b\x7f\ud7ff\U0001f600é"), max_size=12)
lines = st.sampled_from(['data: {"n": 1}', "data: [DONE]", "", "event: x", ": keep-alive", "  "])
small = st.one_of(
    st.just(b""),
    texts.map(str.encode),
    awkward.map(str.encode),
    st.binary(max_size=40),
    st.lists(lines, max_size=8).map(lambda lines: "\n".join(lines).encode()),
)
large = st.one_of(texts.map(str.encode), awkward.map(str.encode), st.binary(max_size=30)).map(
    lambda seed: seed * (250_000 // max(len(seed), 1))
)
bodies = st.integers(0, 24).flatmap(lambda number: small if number else large)
kinds = st.sampled_from(["application/json", "text/event-stream", "Text/Event-Stream; charset=utf-8", "image/png", ""])
header_values = st.text(st.sampled_from("az09 ,;:=\"'#"), max_size=12).map(str.strip)


@st.composite
def wires(draw: st.DrawFn, *, whole: bool = False) -> Wire:
    """Any answer; or any that does not break off."""
    coding = draw(st.sampled_from(["", "", "", "gzip", "deflate", "raw deflate", "unheard-of"]))
    cuts = st.just([]) if coding == "raw deflate" else st.lists(st.integers(0, 2**20), max_size=5)
    pieces = cut_up(packed(draw(bodies), coding), draw(cuts))  # clients guess raw deflate from its first bytes
    headers = [("content-type", kind)] if (kind := draw(kinds)) else []
    headers += [("content-encoding", coding.removeprefix("raw "))] if coding else []
    headers += [(name, draw(header_values)) for name in draw(st.sets(st.sampled_from(["x-request-id", "retry-after"])))]
    headers.append(("set-cookie", "never=kept"))
    end = End.KEEP if whole else draw(st.sampled_from([End.KEEP, End.KEEP, End.KEEP, End.CLOSE, End.RESET, End.STALL]))
    sent = None if end is End.KEEP else draw(st.integers(-1, len(pieces)))
    return Wire(
        pieces=pieces,
        status=draw(st.sampled_from([200, 200, 201, 400, 401, 404, 429, 500, 503, 529])),
        reason=draw(st.sampled_from(["OK", "", "I'm a teapot: # really", "Service Unavailable"])),
        headers=tuple(headers),
        framing=draw(st.sampled_from(Framing)),
        end=end,
        sent=None if sent == len(pieces) else sent,
    )


def ask_all(door: Door, base: str, answers: list[Wire]) -> list[Seen]:
    """Ask once for each answer."""
    return [
        door(f"{base}/v1/any", b'{"n": %d}' % (n % 2), n, SHORT if wire.stalls else PATIENT)
        for n, wire in enumerate(answers)
    ]


def check(name: str, answers: list[Wire], wire: WireServer, folder: Path) -> None:
    """The same head, content and exception; and the same pieces, where they may be told apart."""
    base = wire.serve(*answers)
    live, replayed, loaded = again(folder, lambda: ask_all(DOORS[name], base, answers))
    assert [seen.whole for seen in replayed] == [seen.whole for seen in live]
    assert len(wire.noted(base)) <= len(answers) == len(loaded.exchanges)  # a client may give up before it was heard
    for answer, one, other in zip(answers, live, replayed, strict=True):
        # aiohttp hands out together what came while its reader was busy
        if name != "aiohttp" and ("content-type", "text/event-stream") in answer.headers:
            assert other.pieces == one.pieces


@pytest.mark.parametrize("name", DOORS)
@few
@given(answers=st.lists(wires(whole=True), min_size=1, max_size=3))
def test_what_was_on_the_wire_comes_back(name: str, answers: list[Wire], wire: WireServer, folder: Path) -> None:
    """Each client gets the same head and content, and a stream in the same pieces."""
    check(name, answers, wire, folder)


def as_stream(wire: Wire) -> Wire:
    """The answer in the form in which providers stream; urllib3 hands out parts of a broken body in this form only."""
    kept = tuple(pair for pair in wire.headers if pair[0] != "content-type")
    return replace(wire, framing=Framing.CHUNKED, headers=(("content-type", "Text/Event-Stream"), *kept))


@pytest.mark.parametrize("name", DOORS)
@few
@given(answers=st.lists(wires(), min_size=1, max_size=3))
def test_what_breaks_off_breaks_off_again(name: str, answers: list[Wire], wire: WireServer, folder: Path) -> None:
    """Cut, reset or stalled at any byte: each client gets as much as it got live, and the same exception."""
    check(name, [as_stream(each) for each in answers] if name.endswith("-stream") else answers, wire, folder)


DIALECTS: dict[Api, Dialect] = {dialect.api: dialect for dialect in (ChatCompletions(), Responses(), Messages())}

words = st.one_of(texts, awkward, st.integers(0, 24).map(lambda number: "Wort — é " * (3 if number else 400)))
arguments = st.one_of(
    st.dictionaries(texts, texts | st.integers() | st.none(), max_size=3),
    st.sampled_from(["", "{", "[1]", "{}"]),
    texts,
)
calls = st.lists(st.builds(ScriptedCall, tool=st.just("look_up"), arguments=arguments), max_size=3)
errors = st.builds(
    RejectedError,
    st.sampled_from([400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529]),
    st.none() | texts,
    code=st.sampled_from([None, "insufficient_quota", "context_length_exceeded"]),
    retry_after=st.sampled_from([None, 0.5, 7]),
)
"""What a provider refuses with."""
junk = st.sampled_from(
    [b"", b"{}", b"null", b"<html>502</html>", b'{"choices": []}', b'{"id": "\\ud800"}', b"\xff\xfe"]
)


@st.composite
def replies(draw: st.DrawFn, api: Api, *, stream: bool) -> Wire:
    """An answer in the provider's own form; or an error, or what no provider should send."""
    dialect = DIALECTS[api]
    ids = Identifiers(draw(st.sampled_from(["a", "b", "c"])))
    kind = draw(st.sampled_from(["reply", "reply", "reply", "reply", "error", "junk"]))
    headers, status = [("content-type", "application/json"), ("x-request-id", f"req_{ids.origin}")], 200
    if kind == "error":
        rejection = draw(errors)
        more, body = dialect.refuse(rejection, ids)
        status, headers = rejection.status, [headers[0], *more]
    elif kind == "junk":
        body = draw(junk)
    else:
        body, headers = _render(draw, dialect, ids, stream=stream)
    coding = draw(st.sampled_from(["", "", "gzip", "deflate"]))
    headers += [("content-encoding", coding)] if coding else []
    pieces = cut_up(packed(body, coding), draw(st.lists(st.integers(0, 2**20), max_size=6)))
    end = draw(st.sampled_from([End.KEEP] * 9 + [End.CLOSE, End.CLOSE, End.RESET, End.RESET, End.STALL]))
    sent = None if end is End.KEEP else draw(st.integers(-1, len(pieces)))
    framing = draw(st.sampled_from(Framing))
    sent = None if sent == len(pieces) else sent
    return Wire(pieces, status=status, headers=tuple(headers), framing=framing, end=end, sent=sent)


def _render(
    draw: st.DrawFn, dialect: Dialect, ids: Identifiers, *, stream: bool
) -> tuple[bytes, list[tuple[str, str]]]:
    called = tuple(draw(calls))
    reply = Reply(
        ids=ids,
        model="gpt-5-mini-2025-08-07",
        created=1_767_225_600,
        text=draw(words),
        calls=called,
        stop=StopReason.TOOL_CALLS if called else draw(st.sampled_from([StopReason.END, StopReason.LENGTH])),
        usage=Usage(input_tokens=5, output_tokens=draw(st.integers(0, 9))),
        slow=Slow(),
        cut=None,
    )
    headers = dialect.success_headers(reply)
    asked_for = {"input": "Hi", "stream": stream, "stream_options": {"include_usage": True}}
    if not stream:
        return dialect.whole(asked_for, reply), [("content-type", "application/json"), *headers]
    events = b"".join(dialect.events(asked_for, reply))
    return events, [("content-type", "text/event-stream; charset=utf-8"), *headers]


@pytest.mark.parametrize("talk", [converse, pytest.param(converse_async, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("api", list(Api))
@fewer
@given(data=st.data())
def test_the_sdks_hear_the_same_conversation(
    api: Api, stream: bool, talk: Any, data: st.DataObject, wire: WireServer, folder: Path
) -> None:
    """The same objects and exceptions, call by call, of an agent whose every request quotes what it heard before."""
    answers = data.draw(st.lists(replies(api, stream=stream), min_size=1, max_size=4))
    base = wire.serve(*answers)

    def patience(number: int) -> float:
        return SHORT if answers[number].stalls else PATIENT

    live, replayed, loaded = again(folder, lambda: talk(api, base, len(answers), patience, stream=stream))
    assert replayed == live
    assert len(wire.noted(base)) <= len(answers) == len(loaded.exchanges)  # a client may give up before it was heard


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["a", "1", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(one=json_values, other=json_values, field=st.sampled_from(["metadata", "messages", "temperature", "system"]))
def test_no_request_gets_the_answer_of_another(one: Any, other: Any, field: str) -> None:
    """Two bodies that say different things never share an answer; the same said in another layout does."""
    asked = [
        HttpRequest(method="POST", uri="https://api.openai.com/v1/chat/completions", body=body)
        for body in (
            json.dumps({"model": "m", field: one}, ensure_ascii=False).encode(),
            json.dumps({field: other, "model": "m"}, indent=1).encode(),
        )
    ]
    cassette = Cassette(exchanges=(Exchange(request=asked[0], response=HttpResponse(status=200)),))
    session = ReplaySession(cassette, clock=RecordedClock())
    # Python calls True and 1 equal, and 1 and 1.0; their JSON tells the first two apart, and need not the others
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    if same:
        session.meet(asked[1])
    elif one != other:
        with pytest.raises(CassetteMissError):
            session.meet(asked[1])
