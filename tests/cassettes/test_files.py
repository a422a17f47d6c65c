"""A cassette file gives back exactly what was saved, to us and to stock vcrpy, or refuses."""

from __future__ import annotations

import base64
import gzip
import io
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from harness.cassettes import load_cassette, save_cassette
from harness.errors import CassetteError
from harness.records.exchange import (
    Cassette,
    CassetteMetadata,
    Chunk,
    Ending,
    Exchange,
    Headers,
    HttpRequest,
    HttpResponse,
)

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings" / "cassettes"
AWKWARD = [
    b"",
    b"\n",
    b"\n\n",
    b" leading",
    b"\ttab first\nand more",
    b"trailing \n",
    b"a\n \nb",
    b"a\n\n\nb\n\n\n",
    b"cr\rlf\r\n",
    "nel\x85sep\u2028par\u2029".encode(),
    "\ufeffbom".encode(),
    b"'quotes' \"double\" \\back",
    b"\x00\x01\x7f\x9f",
    b"\xff\xfe not text",
    "\ufffe\uffff\U0010ffff😀".encode(),
    b"- a: [b, {c\n# comment\n--- \n...\n%TAG",
    b"data: {}\n\ndata: [DONE]\n\n",
    b"null",
    b"~",
    b"x" * 200_000,
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
bodies = st.one_of(
    st.sampled_from(AWKWARD),
    st.binary(max_size=60),
    texts.map(str.encode),
    st.text("a '\"\\\n\r\t:#-\x85\u2028\ufeff{", max_size=40).map(str.encode),
)
instants = st.integers(0, 10**15)


@st.composite
def headers(draw: st.DrawFn) -> Headers:
    """Headers in which the values of a name stand together, one per name where the file can hold no more."""
    names = draw(st.lists(st.sampled_from(["content-type", "accept", "null", "x_odd!", "n", "on"]), unique=True))
    return tuple((name, draw(texts)) for name in names)


@st.composite
def responses(draw: st.DrawFn) -> HttpResponse:
    """Any response, in one piece or in several."""
    pieces = draw(st.lists(bodies, max_size=4))
    chunked = draw(st.booleans())
    return HttpResponse(
        status=draw(st.integers(0, 999)),
        reason=draw(texts),
        headers=draw(headers()),
        body=b"".join(pieces),
        chunks=tuple(Chunk(size=len(piece), at=draw(instants)) for piece in pieces) if chunked else (),
        ending=draw(st.sampled_from(Ending)),
    )


exchanges = st.builds(
    Exchange,
    request=st.builds(HttpRequest, method=st.sampled_from(["GET", "POST"]), uri=texts, headers=headers(), body=bodies),
    response=responses(),
    started=instants,
    head=instants,
    duration=instants,
)
metadata = st.builds(
    CassetteMetadata,
    scenario=texts,
    case=st.just("default"),
    trial=st.integers(1, 999),
    judge=st.none() | texts,
    recorded_at=st.just("2026-03-01T10:00:00Z"),
    recorded_from=texts,
    texts=st.dictionaries(st.sampled_from(["input", "world", "rubric"]), texts),
)
cassettes = st.builds(
    Cassette,
    metadata=st.none() | metadata,
    exchanges=st.lists(exchanges, max_size=3).map(tuple),
    imported_from=st.none() | texts,
)
ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def exchange(number: int = 1, body: bytes = b'{"a": 1}') -> Exchange:
    """A small exchange."""
    return Exchange(
        request=HttpRequest(method="POST", uri=f"https://api.example/v1/{number}", body=body),
        response=HttpResponse(status=200, reason="OK", headers=(("content-type", "text/plain"),), body=b"data: 1\n\n"),
        started=number,
    )


def cassette(count: int = 3) -> Cassette:
    """A cassette of ours with that many exchanges."""
    return Cassette(
        metadata=CassetteMetadata(
            scenario="support/refund",
            case="default",
            trial=1,
            recorded_at="2026-03-01T10:00:00Z",
            recorded_from="simulated provider",
            texts={"input": "12ab"},
        ),
        exchanges=tuple(exchange(number) for number in range(count)),
    )


@given(cassettes)
@ONE_FOLDER
def test_any_cassette_comes_back_equal(tmp_path: Path, given_cassette: Cassette) -> None:
    """What was saved is what is loaded, and saving it again writes the same bytes."""
    file = tmp_path / "c.yaml"
    save_cassette(file, given_cassette)
    assert load_cassette(file) == given_cassette
    first = file.read_bytes()
    save_cassette(file, given_cassette)
    assert file.read_bytes() == first


@given(cassettes)
@ONE_FOLDER
def test_stock_vcrpy_reads_the_same(tmp_path: Path, given_cassette: Cassette) -> None:
    """Stock vcrpy finds every request and response, byte for byte."""
    file = tmp_path / "c.yaml"
    save_cassette(file, given_cassette)
    requests, found, *_ = FilesystemPersister.load_cassette(file, yamlserializer)
    ours = given_cassette.exchanges
    assert [(r.method, r.uri) for r in requests] == [(e.request.method, e.request.uri) for e in ours]
    assert [_as_bytes(r.body) for r in requests] == [e.request.body for e in ours]
    assert [r["body"]["string"] for r in found] == [e.response.body for e in ours]
    assert [r["status"] for r in found] == [{"code": e.response.status, "message": e.response.reason} for e in ours]
    assert [{k: v[0] for k, v in r["headers"].items()} for r in found] == [dict(e.response.headers) for e in ours]


@given(cassettes)
@ONE_FOLDER
def test_a_file_that_stock_vcrpy_wrote_anew_is_still_whole(tmp_path: Path, given_cassette: Cassette) -> None:
    """Timing, metadata, count and digest survive a load and save by stock vcrpy."""
    file = tmp_path / "c.yaml"
    save_cassette(file, given_cassette)
    requests, found, *rest = FilesystemPersister.load_cassette(file, yamlserializer)
    saved = {"requests": requests, "responses": found} | ({"metadata": rest[0]} if rest else {})
    FilesystemPersister.save_cassette(file, saved, yamlserializer)
    again = load_cassette(file)
    assert again.metadata == given_cassette.metadata
    assert [_unordered(e) for e in again.exchanges] == [_unordered(e) for e in given_cassette.exchanges]


def test_an_interrupted_save_leaves_the_earlier_file(tmp_path: Path) -> None:
    """Where the disk refuses, the error names the file, and what was there stays; nothing else is left."""
    file = tmp_path / "c.yaml"
    save_cassette(file, cassette(1))
    before = file.read_bytes()
    broken = cassette(1).model_copy(
        update={"exchanges": (exchange(1).model_copy(update={"request": HttpRequest(method="GET", uri="\ud800")}),)}
    )
    with pytest.raises(CassetteError, match=r"c\.yaml:1: can't be written"):
        save_cassette(file, broken)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    """A cassette can be saved where no folder is yet."""
    file = tmp_path / "support" / "refund" / "1.yaml"
    save_cassette(file, cassette())
    assert load_cassette(file) == cassette()


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """A file cut after any byte, an exchange's end included, is refused with its name and line."""
    file = tmp_path / "c.yaml"
    save_cassette(file, cassette())
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(CassetteError, match=r"c\.yaml:\d+: .*(restore|record)"):
            load_cassette(file)


@pytest.mark.parametrize("name", ["05-chat-stream-plain.yaml", "24-anth-tool-use-chained.yaml"])
def test_a_foreign_file_cut_at_an_exchange_is_noticed(tmp_path: Path, name: str) -> None:
    """Stock files end with their version, so a cut one is no cassette."""
    if not RECORDINGS.is_dir():
        pytest.skip("the shared recordings are not here")
    text = (RECORDINGS / name).read_text(encoding="utf-8")
    (tmp_path / "c.yaml").write_text(text.removesuffix("version: 1\n"), encoding="utf-8")
    with pytest.raises(CassetteError, match="breaks off"):
        load_cassette(tmp_path / "c.yaml")


def test_a_cut_between_exchanges_says_how_many_are_missing(tmp_path: Path) -> None:
    """What is left is valid YAML; the count tells."""
    file = tmp_path / "c.yaml"
    save_cassette(file, cassette())
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.rindex("- request:")], encoding="utf-8")
    with pytest.raises(CassetteError, match=r"c\.yaml:\d+: holds 2 exchanges where 3 were recorded"):
        load_cassette(file)


def test_an_edited_body_is_noticed(tmp_path: Path) -> None:
    """A changed recording is not what was recorded."""
    file = tmp_path / "c.yaml"
    save_cassette(file, cassette())
    file.write_bytes(file.read_bytes().replace(b'{"a": 1}', b'{"a": 2}', 1))
    with pytest.raises(CassetteError, match="digest differs"):
        load_cassette(file)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)
LONG_BOMB = f"a: &a {'x' * 60_000}\nb: [{','.join(['*a'] * 2_000)}]\n"
DEEP_BOMB = "a: &a [[[[[[[[[x]]]]]]]]]\n" + "".join(
    f"{new}: &{new} [[[[[[[[[*{old}]]]]]]]]]\n" for old, new in zip("abcd", "bcde", strict=True)
)
STOPPED = "nested deeper|not valid YAML"
"""Some builds of libyaml have a limit of their own, which they meet before they hand us the level that is ours."""


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"version: 1\ninteractions: " + b"[" * 40 + b"]" * 40, 2, "nested deeper"),
        (b"version: 1\ninteractions: [" + b"[" * 40_000, 2, STOPPED),
        (b"version: 1\n" + b"- " * 40_000, 2, "not valid YAML"),
        (b"{" * 40 + b"}" * 40, 1, "nested deeper"),
        (b"{" * 40_000, 1, STOPPED),
        (BOMB.encode(), 7, "more than 1,000,000 values"),
        (LONG_BOMB.encode(), 2, "fill the memory"),
        (DEEP_BOMB.encode(), 4, "nested deeper"),
        (b"a: &a [*a]\n", 1, "alias 'a' of something that is not yet whole"),
        (b"a: *a\n", 1, "undefined alias|not yet whole"),
        (b"- request: !!python/object:vcr.request.Request {method: GET}\n", 1, "vcr.migration"),
        (b"- {request: {method: GET}, response: {}}\n", 1, "vcr.migration"),
        (b"{'version': 1, 'interactions': [}\n", 1, "not valid YAML"),
        (b'{"version": 1,\n"interactions": [{"request": {"body": "\\ud83d"}}]}\n', 2, "not valid YAML"),
        (b"\x1f\x8b\x08\x00 no gzip", 1, "no whole gzip file"),
        (b"H4sI no base64!", 1, "no whole base64"),
        (gzip.compress(b"version: 1\ninteractions: []\n", mtime=0)[:-9], 1, "breaks off"),
        (gzip.compress(b"version: 1\n" + b"#" * 80_000_000, mtime=0), 1, "larger than 64 MiB"),
        (b"version: 1\ninteractions:\n- !!python/object/apply:os.system [id]\n", 3, "tag"),
        (b"version: 1\ninteractions:\n- !local x\n", 3, "tag"),
        (b"version: 1\nversion: 1\n", 2, "twice"),
        (b"version: 1\ninteractions:\n- \xff\n", 3, "not UTF-8"),
        (b"version: 1\ninteractions:\n- \x00\n", 3, "character"),
        (b"", 1, "expected here|not valid YAML"),
        (b"just text\n", 1, "must be a mapping"),
        (b"version: 2\ninteractions: []\n", 1, "version 2"),
        (b"version: 1\ninteractions: 7\n", 2, "list"),
        (b"version: 1\ninteractions:\n- request: {method: GET}\n", 3, "no `response`"),
        (b"version: 1\ninteractions: []\n---\nmore: 1\n", 3, "end of the file"),
        (b"version: 1\ninteractions:\n- a: b: c\n", 3, "not valid YAML"),
    ],
)
def test_what_is_no_cassette_is_refused_at_its_line(tmp_path: Path, content: bytes, line: int, what: str) -> None:
    """Hostile or broken text ends in one error with file and line, at once."""
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    began = time.perf_counter()
    with pytest.raises(CassetteError, match=rf"c\.yaml:{line}: .*({what})"):
        load_cassette(file)
    assert time.perf_counter() - began < 2


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """What can't be opened is an error with its path."""
    with pytest.raises(CassetteError, match="nowhere"):
        load_cassette(tmp_path / "nowhere.yaml")
    with pytest.raises(CassetteError, match="can't be read"):
        load_cassette(tmp_path)


def test_compressed_bodies_are_read_as_content(tmp_path: Path) -> None:
    """A gzip body of another tool's cassette comes back decoded, without the header that said so."""
    coded = base64.b64encode(gzip.compress(b'{"ok": true}')).decode()
    file = tmp_path / "c.yaml"
    file.write_text(
        "interactions:\n- request: {method: GET, uri: 'http://x/', body: null, headers: {}}\n"
        f"  response:\n    body: {{string: !!binary {coded}}}\n"
        "    headers: {Content-Encoding: [gzip], Content-Type: [application/json]}\n"
        "    status: {code: 200, message: OK}\nversion: 1\n",
        encoding="utf-8",
    )
    response = load_cassette(file).exchanges[0].response
    assert response.body == b'{"ok": true}'
    assert response.headers == (("content-type", "application/json"),)


def test_a_compression_bomb_stays_compressed(tmp_path: Path) -> None:
    """A body that would fill the memory once decoded is left as it is."""
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as packer:
        for _ in range(200):
            packer.write(b"\0" * 1024 * 1024)
    original = HttpResponse(status=200, headers=(("content-encoding", "gzip"),), body=bomb.getvalue())
    file = tmp_path / "c.yaml"
    save_cassette(file, Cassette(exchanges=(Exchange(request=HttpRequest(method="GET", uri="u"), response=original),)))
    assert load_cassette(file).exchanges[0].response == original


def _unordered(exchange: Exchange) -> tuple[object, ...]:
    request, response = exchange.request, exchange.response
    return (
        request.model_copy(update={"headers": tuple(sorted(request.headers))}),
        response.model_copy(update={"headers": tuple(sorted(response.headers))}),
        exchange.started,
        exchange.head,
        exchange.duration,
    )


def _as_bytes(body: object) -> bytes:
    return b"" if body is None else body if isinstance(body, bytes) else str(body).encode()
