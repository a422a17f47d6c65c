"""Which headers of a response are kept, what in them is masked, and what else of a response is made to fit."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from harness.cassettes import RecordSession
from harness.cassettes.cleaning import clean_exchange
from harness.records.exchange import Chunk, Ending, Exchange, HttpRequest, HttpResponse
from harness.seams import SystemClock

SESSION = "Zq83kLm20PxvT7cR5yWn"


def respond(headers: dict[str, str], *, body: bytes = b"", method: str = "GET", **response: Any) -> HttpResponse:
    """A response as it is kept."""
    request = HttpRequest(method=method, uri="https://x/")
    given = HttpResponse(status=response.pop("status", 200), headers=tuple(headers.items()), body=body, **response)
    return clean_exchange(Exchange(request=request, response=given)).response


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (respond({"content-length": "99"}, body=b"ten bytes."), "10"),
        (respond({"content-length": "99"}, method="HEAD"), "99"),
        (respond({"content-length": "99"}, status=304), "99"),
        (respond({"content-length": "99"}, body=b"cut", ending=Ending.CUT), "99"),
        (respond({"content-length": "99"}, body=b"left", ending=Ending.ABANDONED), None),
        (respond({}, body=b"a stream"), None),
    ],
)
def test_a_length_fits_what_is_kept(given: HttpResponse, kept: str | None) -> None:
    """A client that counts is told the truth, or what it was told."""
    assert dict(given.headers).get("content-length") == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer Ab12Cd34Ef56"),
        ("x-auth-token", "opaque-but-short"),
        ("x-csrf-token", "abcdefgh"),
        ("mcp-session-id", "1868a90c-7f1b-4c1b-9d0b-2f4f6f8a9b0c"),
        ("x-amz-security-token", "FwoGZXIvYXdzEBYaDLr"),
        ("openai-organization", "acme"),
        ("anthropic-organization-id", "0f1e2d3c-7f1b-4c1b-9d0b-2f4f6f8a9b0c"),
        ("x-nobody-knows", "Ab12Cd34Ef56Gh78Ij90"),
        ("x-nobody-knows", "5f0c6f2e-7f1b-4c1b-9d0b-2f4f6f8a9b0c"),
        ("x-nobody-knows", 'id="Ab12Cd34Ef56Gh78Ij90", other'),
        ("location", "https://x/?token=Ab12Cd34Ef56"),
        ("link", '<https://x/?api_key=Ab12Cd34Ef56>; rel="next"'),
        ("set-cookie", "a=Ab12; Path=/"),
    ],
)
def test_what_may_be_a_secret_is_masked(name: str, value: str) -> None:
    """By the header's name, by the rules for every text, and by its look where nobody knows the header."""
    kept = dict(respond({name: value}).headers)[name]
    assert "*masked*" in kept
    assert not any(part in kept for part in ("Ab12", "opaque-but-short", "abcdefgh", "7f1b", "FwoG", "acme"))
    assert dict(respond({name: kept}).headers)[name] == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-session-seconds", "1735689600"),
        ("x-model-version", "claude-3-5-sonnet-20241022"),
        ("x-served-model", "claude-3-5-sonnet-20241022"),
        ("x-some-request-id", "Ab12Cd34Ef56Gh78Ij90"),
        ("x-amz-checksum-sha256", "Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56Qr78St90Uv0="),
        ("etag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'),
        ("content-type", "multipart/mixed; boundary=Ab12Cd34Ef56Gh78Ij90"),
        ("location", "/uploads/Ab12Cd34Ef56Gh78Ij90"),
        ("link", '<?cursor=Ab12Cd34Ef56Gh78Ij90>; rel="next"'),
        ("set-cookie", "a=; Max-Age=0"),
    ],
)
def test_what_is_no_secret_stays(name: str, value: str) -> None:
    """Numbers, names of models, requests and versions, sums, and addresses."""
    assert respond({name: value}).headers == ((name, value),)


def test_an_unknown_header_that_was_masked_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """By its name; a cookie is not: none is ever kept."""
    with caplog.at_level(logging.WARNING):
        respond({"x-nobody-knows": "Ab12Cd34Ef56Gh78Ij90", "set-cookie": f"sid={SESSION}"})
    (record,) = caplog.records
    assert "x-nobody-knows, a header that is not known" in record.getMessage()
    assert "Ab12" not in caplog.text


@pytest.mark.parametrize("header", ["set-cookie", "cf-ray"])
def test_a_request_that_depends_on_what_is_not_kept_is_told(header: str, caplog: pytest.LogCaptureFixture) -> None:
    """While recording, by the header's name: a short cookie in an address, or the value of a header that is dropped."""
    value = "hunter" if header == "set-cookie" else "8c1f2a3b4c5d6e7f8a9b-AMS"
    session = RecordSession(clock=SystemClock(), journal=None)
    first = session.meet(HttpRequest(method="GET", uri="https://x/login"))
    first.answer(HttpResponse(status=200, headers=((header, f"s={value}" if header == "set-cookie" else value),)))
    first.end()
    with caplog.at_level(logging.WARNING):
        session.meet(HttpRequest(method="GET", uri="https://x/other"))
        assert not caplog.records
        session.meet(HttpRequest(method="GET", uri=f"https://x/me?s={value}"))
    assert f"the header {header} of GET https://x/login is not kept" in caplog.text
    assert "GET https://x/me" in caplog.text


def test_a_reply_that_was_long_on_its_way_keeps_its_parts() -> None:
    """What came at once is one piece; what came over a second is several, for the time limits of clients."""
    millisecond = 1_000_000
    chunks = [(1, 5), (2, 6), (3, 7), (4, 450), (5, 460), (6, 900)]

    def kept(*pieces: tuple[int, int]) -> list[tuple[int, int]]:
        given = tuple(Chunk(size=size, at=at * millisecond) for size, at in pieces)
        body = b"x" * sum(size for size, _ in pieces)
        found = respond({"content-type": "application/json"}, body=body, chunks=given)
        return [(chunk.size, chunk.at // millisecond) for chunk in found.chunks]

    assert kept(*chunks) == [(6, 7), (9, 460), (6, 900)]
    assert kept(*chunks[:3]) == []
