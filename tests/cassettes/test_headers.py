"""Requests with other headers have other answers; a header that a recording did not keep can't differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cassettes import Filters, PlainSession, ReplaySession, load_cassette, save_cassette
from harness.cassettes.cleaning import clean_exchange
from harness.cassettes.sessions import Playback
from harness.errors import CassetteMissError
from harness.pipeline.keeping import keep_exchanges
from harness.records.exchange import Cassette, CassetteMetadata, Exchange, Headers, HttpRequest, HttpResponse
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.seams import RecordedClock

MESSAGES = "https://api.anthropic.com/v1/messages"
CHAT = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
EMBEDDINGS = "https://api.openai.com/v1/embeddings"
FILE = "http://files.example/report"
BODIES = {
    MESSAGES: {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    CHAT: {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"model": "gpt-5-mini", "input": "Hi"},
    EMBEDDINGS: {"model": "text-embedding-3-small", "input": "Hi"},
}
METADATA = CassetteMetadata(
    scenario="a", case="default", trial=1, recorded_at="2026-03-01T10:00:00Z", recorded_from="test"
)
BETA = ("anthropic-beta", "context-1m-2025-08-07")


def ask(uri: str, *headers: tuple[str, str]) -> HttpRequest:
    """A model call, or a GET of anything else."""
    body = json.dumps(BODIES[uri]).encode() if uri in BODIES else b""
    return HttpRequest(method="POST" if body else "GET", uri=uri, headers=headers, body=body)


def recording(*requests: HttpRequest) -> Cassette:
    """What we keep of these requests; each answer says which it is."""
    exchanges = (
        Exchange(request=each, response=HttpResponse(status=200, body=str(number).encode()))
        for number, each in enumerate(requests)
    )
    return Cassette(metadata=METADATA, exchanges=tuple(map(clean_exchange, exchanges)))


def answers(cassette: Cassette, *requests: HttpRequest) -> list[str]:
    """The numbers of the answers that requests get."""
    session = ReplaySession(cassette, clock=RecordedClock())
    return [session.meet(each).exchange.response.body.decode() for each in requests]


def miss(cassette: Cassette, *requests: HttpRequest) -> Mismatch:
    """What is said of the last request, which has no answer."""
    session = ReplaySession(cassette, clock=RecordedClock())
    for each in requests[:-1]:
        session.meet(each)
    with pytest.raises(CassetteMissError):
        session.meet(requests[-1])
    assert session.mismatch is not None
    return session.mismatch


SETTINGS = {
    "beta": (MESSAGES, "anthropic-beta", "context-1m-2025-08-07", "files-api-2025-04-14"),
    "version": (MESSAGES, "anthropic-version", "2023-06-01", "2026-10-21"),
    "OpenAI's beta": (RESPONSES, "openai-beta", "assistants=v1", "assistants=v2"),
    "OpenRouter": (CHAT, "x-anthropic-beta", "structured-outputs-2025-11-13", "interleaved-thinking-2025-05-14"),
    "Portkey's provider": (CHAT, "x-portkey-provider", "openai", "azure-openai"),
    "Portkey's config": (CHAT, "x-portkey-config", "pc-fast-1a2b3c", "pc-slow-1a2b3c"),
    "Helicone": (MESSAGES, "helicone-target-url", "https://api.anthropic.com", "https://eu.gateway.example"),
    "LiteLLM": (CHAT, "x-litellm-tags", "free", "paid"),
    "Bedrock": (CHAT, "x-amzn-bedrock-guardrailidentifier", "gr-1", "gr-2"),
    "an API that is not read": (EMBEDDINGS, "x-portkey-provider", "openai", "cohere"),
}


@pytest.mark.parametrize(("uri", "name", "before", "after"), SETTINGS.values(), ids=SETTINGS)
def test_an_edit_of_what_the_provider_is_told_is_stale(uri: str, name: str, before: str, after: str) -> None:
    """Changed, removed or added: the header is named with both values."""
    old, new, none = ask(uri, (name, before)), ask(uri, (name, after)), ask(uri)
    for recorded, sent, change in ((old, new, f"{before} → {after}"), (old, none, f"{before} → none")):
        found = miss(recording(recorded), sent)
        assert (found.kind, found.part) == (MismatchKind.STALE, MismatchPart.SETTINGS)
        assert (found.cause, found.other_reading) == (f"header {name}: {change}", None)
        assert found.differences[0].diff[0] == f'- {name}: "{before}"'
    assert miss(recording(none), new).cause == f"header {name}: none → {after}"
    assert answers(recording(old, new), new, old) == ["1", "0"]


def test_an_edit_beside_another_is_listed() -> None:
    """The model leads, the header follows with its diff; later in a trial the agent may have chosen it itself."""
    edited = {**BODIES[MESSAGES], "model": "claude-sonnet-4-5"}
    sent = ask(MESSAGES).model_copy(update={"body": json.dumps(edited).encode()})
    found = miss(recording(ask(MESSAGES, BETA)), sent)
    assert found.cause == "model: claude-haiku-4-5 → claude-sonnet-4-5; also settings"
    assert found.differences[1].cause == "header anthropic-beta: context-1m-2025-08-07 → none"
    later = miss(recording(ask(MESSAGES, BETA), ask(MESSAGES, BETA)), ask(MESSAGES, BETA), ask(MESSAGES))
    assert later.other_reading is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("anthropic-beta", "a,b")], [("anthropic-beta", "b, a")]),
        ([("anthropic-beta", "a, b")], [("anthropic-beta", "b"), ("anthropic-beta", "a")]),
        ([("anthropic-beta", "")], []),
        ([("accept", "application/json")], [("accept", "text/event-stream")]),
        ([("user-agent", "a/1"), ("x-stainless-retry-count", "0")], [("user-agent", "a/2")]),
        ([("openai-organization", "org-1"), ("openai-project", "p-1")], [("openai-organization", "org-2")]),
        ([("x-portkey-virtual-key", "a"), ("x-portkey-trace-id", "1")], [("x-portkey-trace-id", "2")]),
        ([("cf-aig-metadata", "1"), ("cf-aig-cache-ttl", "9")], [("cf-aig-authorization", "Bearer x")]),
        ([("helicone-session-id", "1"), ("x-litellm-timeout", "9")], [("helicone-session-id", "2")]),
    ],
    ids=str,
)
def test_what_says_the_same_to_the_provider_replays(one: Headers, other: Headers) -> None:
    """The order of betas, what a client asks back, who pays, and what a gateway logs or caches."""
    beta = ask(MESSAGES, *other).model_copy(update={"uri": f"{MESSAGES}?beta=true"})
    assert answers(recording(ask(MESSAGES, *one), ask(MESSAGES, *other)), beta, ask(MESSAGES, *one)) == ["0", "1"]


OTHERS = {
    "range": ("range", "bytes=0-99", "bytes=100-199"),
    "accept": ("accept", "application/json", "text/csv"),
    "language": ("accept-language", "de", "fr"),
    "condition": ("if-none-match", '"v1"', '"v2"'),
    "since": ("if-modified-since", "Sun, 01 Mar 2026 10:00:00 GMT", "Mon, 02 Mar 2026 10:00:00 GMT"),
    "version": ("notion-version", "2022-06-28", "2025-09-03"),
    "operation": ("x-amz-target", "DynamoDB_20120810.Scan", "DynamoDB_20120810.DescribeTable"),
}


@pytest.mark.parametrize(("name", "one", "other"), OTHERS.values(), ids=OTHERS)
def test_two_requests_for_one_address_have_their_own_answers(name: str, one: str, other: str) -> None:
    """Whatever the order in which they come; a third is named, and is the agent's doing."""
    first, second, plain = ask(FILE, (name, one)), ask(FILE, (name, other)), ask(FILE)
    assert answers(recording(first, second, plain), plain, second, first) == ["2", "1", "0"]
    found = miss(recording(first), second)
    assert (found.kind, found.part) == (MismatchKind.CHANGED, MismatchPart.CONVERSATION)
    assert found.cause == f"`GET /report`: header {name}: {one} → {other}"
    assert miss(recording(first, first), first, first, first).part is MismatchPart.LENGTH
    assert "none →" in miss(recording(plain), plain, first).cause


def test_a_client_that_asks_for_anything_asks_for_nothing_in_particular() -> None:
    """`*/*` is what most clients send and some leave out; spaces and case say nothing."""
    some = [("accept", "text/csv;q=0.9, Text/Plain")], [("accept", "text/csv;q=0.9,text/plain")]
    for one, other in ((("accept", "*/*"),), ()), some:
        assert answers(recording(ask(FILE, *one)), ask(FILE, *other)) == ["0"]
        assert answers(recording(ask(FILE, *other)), ask(FILE, *one)) == ["0"]


def by_first_list(tmp_path: Path, *headers: tuple[str, str], uri: str = MESSAGES) -> Cassette:
    """A recording from when we kept five headers."""
    file = tmp_path / "1.yaml"
    save_cassette(file, recording(ask(uri, *headers)))
    text = file.read_text(encoding="utf-8")
    assert text.count("  kept_headers: 2\n") == 1
    file.write_text(text.replace("  kept_headers: 2\n", ""), encoding="utf-8")
    return load_cassette(file)


def test_an_older_recording_knows_the_headers_that_it_kept(tmp_path: Path) -> None:
    """A beta that is added is found; a gateway's header, or a range, may have been sent all along."""
    assert miss(by_first_list(tmp_path), ask(MESSAGES, BETA)).cause == f"header anthropic-beta: none → {BETA[1]}"
    routed = ("x-portkey-provider", "openai")
    assert answers(by_first_list(tmp_path, BETA), ask(MESSAGES, routed, BETA)) == ["0"]
    assert answers(by_first_list(tmp_path, uri=FILE), ask(FILE, ("range", "bytes=0-9"))) == ["0"]
    assert "header accept" in miss(by_first_list(tmp_path, uri=FILE), ask(FILE, ("accept", "text/csv"))).cause


def test_a_recording_of_both_lists_keeps_what_each_part_knows(tmp_path: Path) -> None:
    """One that was extended: what the older part did not keep can't differ, what the newer part holds can."""
    routed = ("x-portkey-provider", "openai")
    old, new = by_first_list(tmp_path, BETA).exchanges, recording(ask(CHAT, routed)).exchanges
    save_cassette(tmp_path / "2.yaml", Cassette(metadata=METADATA, exchanges=old + new))
    cassette = load_cassette(tmp_path / "2.yaml")
    assert answers(cassette, ask(MESSAGES, BETA, routed), ask(CHAT, routed)) == ["0", "0"]
    assert miss(cassette, ask(CHAT)).cause == "header x-portkey-provider: openai → none"
    assert miss(cassette, ask(MESSAGES, routed)).cause == f"header anthropic-beta: {BETA[1]} → none"


def test_a_later_list_is_refused(tmp_path: Path) -> None:
    """A recording of a harness to come may leave out what we would compare."""
    save_cassette(tmp_path / "1.yaml", recording(ask(CHAT)))
    text = (tmp_path / "1.yaml").read_text(encoding="utf-8")
    (tmp_path / "1.yaml").write_text(text.replace("kept_headers: 2", "kept_headers: 3"), encoding="utf-8")
    with pytest.raises(Exception, match=r"1\.yaml:10: keeps the headers of list 3; update the harness"):
        load_cassette(tmp_path / "1.yaml")


def foreign(tmp_path: Path, *requests: HttpRequest) -> Cassette:
    """The same as vcrpy writes it."""
    lines = ["version: 1", "interactions:"]
    for number, each in enumerate(requests):
        sent = {"method": each.method, "uri": each.uri, "body": each.body.decode(), "headers": dict(each.headers)}
        reply = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": str(number)}}
        lines += [f"- request: {json.dumps(sent)}", f"  response: {json.dumps(reply)}"]
    (tmp_path / "v.yaml").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return load_cassette(tmp_path / "v.yaml")


def test_what_another_tool_filtered_cannot_differ(tmp_path: Path) -> None:
    """Without the headers, or with something else in their place, its recordings go on replaying."""
    host = ("host", "api.anthropic.com")
    for hidden in ((), (("anthropic-beta", "**REDACTED**"), ("accept", "PLACEHOLDER")), (("anthropic-beta", "XXX"),)):
        for uri, sent in ((MESSAGES, BETA), (FILE, ("range", "bytes=0-9")), (FILE, ("accept", "text/csv"))):
            assert answers(foreign(tmp_path, ask(uri, host, *hidden)), ask(uri, sent)) == ["0"]


def test_what_another_tool_kept_can_differ(tmp_path: Path) -> None:
    """A header that stands in one request was kept in all of them."""
    cassette = foreign(tmp_path, ask(MESSAGES, BETA), ask(MESSAGES), ask(FILE, ("range", "bytes=0-9")), ask(FILE))
    assert answers(cassette, ask(FILE), ask(MESSAGES), ask(MESSAGES, BETA)) == ["3", "1", "0"]
    assert miss(cassette, ask(MESSAGES, ("anthropic-beta", "x"))).cause.startswith("header anthropic-beta: ")
    assert answers(cassette, ask(MESSAGES, ("anthropic-version", "2023-06-01"))) == ["1"]
    assert "header accept" in miss(foreign(tmp_path, ask(FILE, ("accept", "*/*"))), ask(FILE, ("accept", "a/b"))).cause


def test_an_import_stays_as_ignorant_as_it_was(tmp_path: Path) -> None:
    """Cleaned and written in our layout, a recording of another tool still replays with and without the header."""
    cassette = foreign(tmp_path, ask(MESSAGES, ("host", "api.anthropic.com")))
    cleaned = Cassette(exchanges=tuple(map(clean_exchange, cassette.exchanges)), imported_from="v.yaml")
    save_cassette(tmp_path / "ours.yaml", cleaned)
    for sent in ((), (BETA,)):
        assert answers(load_cassette(tmp_path / "ours.yaml"), ask(MESSAGES, *sent)) == ["0"]


def test_a_config_with_keys_is_kept_without_them(tmp_path: Path) -> None:
    """A gateway's config in JSON: another key in it is the same request, another provider is not."""

    def config(provider: str, key: str) -> tuple[str, str]:
        return "x-portkey-config", json.dumps({"targets": [{"provider": provider, "api_key": key}]})

    save_cassette(tmp_path / "1.yaml", recording(ask(CHAT, config("openai", "no-known-pattern"))))
    assert "no-known-pattern" not in (tmp_path / "1.yaml").read_text(encoding="utf-8")
    cassette = load_cassette(tmp_path / "1.yaml")
    assert answers(cassette, ask(CHAT, config("openai", "another"))) == ["0"]
    found = miss(cassette, ask(CHAT, config("anthropic", "another")))
    assert found.part is MismatchPart.SETTINGS
    assert "another" not in found.model_dump_json()


@pytest.mark.parametrize("before", [(), (("x-litellm-tags", "free"),)])
def test_a_header_is_recorded_although_the_answer_is_the_same(tmp_path: Path, before: Headers) -> None:
    """To record again mends the stale recording: it does not stay as it was because the reply did."""
    file = tmp_path / "1.yaml"
    save_cassette(file, recording(ask(CHAT, *before)))
    sent = ask(CHAT, ("x-litellm-tags", "paid"))
    keep_exchanges(file, METADATA, recording(sent).exchanges, None)
    assert answers(load_cassette(file), sent) == ["0"]


def test_a_header_that_a_test_filters_cannot_differ(tmp_path: Path) -> None:
    """What `filter_headers` drops is dropped from both, whoever recorded."""

    def without_betas(request: HttpRequest) -> HttpRequest:
        kept = tuple(pair for pair in request.headers if pair[0] != "anthropic-beta")
        return request.model_copy(update={"headers": kept})

    filters = Filters(request=without_betas)
    theirs, ours = foreign(tmp_path, ask(MESSAGES, BETA)), recording(without_betas(ask(MESSAGES, BETA)))
    for cassette in (theirs, ours):
        for sent in ((), (BETA,), (("anthropic-beta", "files-api-2025-04-14"),)):
            met = PlainSession(cassette, filters=filters).meet(ask(MESSAGES, *sent))
            assert isinstance(met, Playback)
