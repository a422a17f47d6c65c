"""Content codings come off, piece by piece, with a bound; what can't be decoded stays as it came."""

from __future__ import annotations

import gzip
import importlib
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from harness.cassettes import codings
from harness.cassettes.content import decode_response
from harness.records.exchange import Chunk, HttpResponse
from tests.cassettes.conftest import EVENTS, pack

brotli = pytest.importorskip("brotli")
zstandard = pytest.importorskip("zstandard")
zstd = pytest.importorskip("backports.zstd")

TEXT = b"one two three " * 50
PACKED = gzip.compress(TEXT, mtime=0)
CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "identity": bytes,
}


def coded(body: bytes, coding: str, *, pieces: int = 0) -> HttpResponse:
    """A response whose body arrived so, in that many pieces."""
    size = -(-len(body) // pieces) if pieces else 0
    chunks = [Chunk(size=len(body[at : at + size]), at=at) for at in range(0, len(body), size)] if size else []
    headers = (("content-type", "text/plain"), ("content-encoding", coding))
    return HttpResponse(status=200, headers=headers, body=body, chunks=tuple(chunks))


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("pieces", [0, 1, 7, 1000])
def test_each_coding_comes_off(coding: str, pieces: int) -> None:
    """However the coded body was cut, its content is the same, and the header that named the coding is gone."""
    response = decode_response(coded(CODERS[coding](TEXT), coding, pieces=pieces))
    assert response.body == TEXT
    assert response.headers == (("content-type", "text/plain"),)
    assert sum(chunk.size for chunk in response.chunks) == (len(TEXT) if pieces else 0)


@pytest.mark.parametrize("outer", CODERS)
@pytest.mark.parametrize("inner", CODERS)
def test_two_codings_come_off_in_their_order(inner: str, outer: str) -> None:
    """The header names them in the order in which they were applied, in one line or two."""
    body = CODERS[outer](CODERS[inner](TEXT))
    assert decode_response(coded(body, f"{inner}, {outer}", pieces=3)).body == TEXT
    response = coded(body, inner)
    twice = response.model_copy(update={"headers": (*response.headers, ("content-encoding", outer))})
    assert decode_response(twice).body == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_flushed_stream_keeps_its_chunks(coding: str) -> None:
    """What the server flushed as one piece is one piece, at its time; a last piece without content is none."""
    pieces = pack(EVENTS, coding)
    chunks = tuple(Chunk(size=len(piece), at=at) for at, piece in enumerate(pieces))
    response = HttpResponse(status=200, headers=(("content-encoding", coding),), body=b"".join(pieces), chunks=chunks)
    found = decode_response(response).chunks
    assert [(chunk.size, chunk.at) for chunk in found] == [(len(event), at) for at, event in enumerate(EVENTS)]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"not at all"),
        ("br", b"\xff" * 40),
        ("zstd", b"not at all"),
        ("deflate", b"\xff\xff\xff"),
        ("compress", b"unknown"),
        ("gzip, compress", PACKED),
        ("gzip, br", PACKED),
        ("gzip, zstd", PACKED),
        ("gzip", b""),
    ],
)
def test_what_cannot_be_decoded_stays_as_it_came(coding: str, body: bytes) -> None:
    """The bytes and the header, so that the client does with them what it did live."""
    response = coded(body, coding)
    assert decode_response(response) == response


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_broke_off_is_decoded_as_far_as_it_came(coding: str) -> None:
    """A cut stream keeps what a client could read of it."""
    pieces = pack(EVENTS, coding)[:2]
    assert decode_response(coded(b"".join(pieces), coding)).body == b"".join(EVENTS[:2])


def test_several_members_are_one_body() -> None:
    """gzip and zstd may follow one another in one body; what follows them and is neither is left out."""
    assert decode_response(coded(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", pieces=5)).body == b"one two"
    assert decode_response(coded(zstd.compress(b"one ") + zstd.compress(b"two"), "zstd", pieces=5)).body == b"one two"
    assert decode_response(coded(gzip.compress(b"one") + b"\x00\x00", "gzip")).body == b"one"


@pytest.mark.parametrize(
    ("coding", "library"),
    [("gzip", ""), ("br", ""), ("zstd", "backports.zstd"), ("zstd", "zstandard"), ("gzip, gzip", "")],
)
def test_a_bomb_stays_small(coding: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be larger than 128 MiB stays coded, and is never held decoded as a whole."""
    if library:
        found = importlib.import_module(library)
        monkeypatch.setattr(codings, "_first", lambda *names: found)
    body = b"\x00" * (300 << 20)
    for one in coding.split(", "):
        body = brotli.compress(body, quality=1) if one == "br" else CODERS[one](body)
    response = coded(body, coding)
    tracemalloc.start()
    assert decode_response(response) == response
    assert tracemalloc.get_traced_memory()[1] < 340 << 20
    tracemalloc.stop()


def test_the_library_that_httpx_has_decodes_zstd_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With zstandard alone, frames and pieces decode all the same; with none, the body stays coded."""
    monkeypatch.setattr(codings, "_first", lambda *names: zstandard)
    body = zstd.compress(TEXT) + zstd.compress(b"more")
    assert decode_response(coded(body, "zstd", pieces=9)).body == TEXT + b"more"
    assert decode_response(coded(b"not at all", "zstd")).body == b"not at all"
    monkeypatch.undo()
    monkeypatch.setattr(codings, "import_module", lambda name: __import__("no.such.library"))
    assert decode_response(coded(zstd.compress(TEXT), "zstd")).body == zstd.compress(TEXT)
