"""Cassettes of other tools load, in every form those write, and mean what they meant there."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr.request import Request
from vcr.serialize import deserialize, serialize
from vcr.serializers import jsonserializer, yamlserializer

from harness.cassettes import load_cassette, save_cassette
from harness.errors import CassetteError
from harness.records.exchange import Exchange

SENT = {"model": "gpt-5-mini", "n": 1, "temperature": 0.5, "stream": False, "stop": None, "yes": "yes", "one": "1"}
CAME = {"id": "chatcmpl-1", "choices": [{"message": {"content": "Grüße 😀\nzweite Zeile"}}], "created": 1749504053}


def load(tmp_path: Path, content: str | bytes) -> tuple[Exchange, ...]:
    """What a file of this content holds; it survives in our layout."""
    file = tmp_path / "c.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    loaded = load_cassette(file)
    save_cassette(file, loaded)
    ours = load_cassette(file).exchanges
    assert [e.request.body for e in ours] == [e.request.body for e in loaded.exchanges]
    assert [e.response.body for e in ours] == [e.response.body for e in loaded.exchanges]
    return loaded.exchanges


def vcrpys(body: object = json.dumps(SENT), string: object = json.dumps(CAME), **headers: str) -> dict[str, Any]:
    """One exchange as vcrpy hands it to a serializer."""
    listed = {"Content-Type": ["application/json"]} | {
        name.replace("_", "-"): [value] for name, value in headers.items()
    }
    return {
        "requests": [Request("POST", "https://api.openai.com/v1/chat/completions", body, {"Accept": "*/*"})],
        "responses": [{"status": {"code": 200, "message": "OK"}, "headers": listed, "body": {"string": string}}],
    }


BY_HAND = """\
interactions:
- request: {method: GET, uri: "https://x/", headers: {}, body: null}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: "yes"}}
"""
BY_HAND_IN_BLOCKS = """\
interactions:
- request:
    method: GET
    uri: https://x/
    headers: {}
    body: ''
  response:
    status:
      code: 200
      message: OK
    headers: {}
    body:
      string: 'yes'
"""


@pytest.mark.parametrize(
    ("text", "serializer"),
    [
        (BY_HAND, yamlserializer),
        (BY_HAND.replace("\n", "\r\n"), yamlserializer),
        (BY_HAND.rstrip(), yamlserializer),
        (BY_HAND_IN_BLOCKS, yamlserializer),
        (json.dumps(yaml.safe_load(BY_HAND)), jsonserializer),
        (json.dumps(yaml.safe_load(BY_HAND), sort_keys=True), jsonserializer),
        (yaml.safe_dump(yaml.safe_load(BY_HAND), default_flow_style=True), yamlserializer),
        ("interactions: []\n", yamlserializer),
        (f"metadata: {{mine: 1}}\n{BY_HAND}", yamlserializer),
        (f"recorded_with: VCR 6.0.0\n{BY_HAND}", yamlserializer),
        (BY_HAND.replace(", message: OK", ""), yamlserializer),
    ],
)
def test_a_file_without_its_version(tmp_path: Path, text: str, serializer: Any) -> None:
    """What vcrpy loads without asking for the version loads here, and means the same."""
    requests, responses, *_ = deserialize(text, serializer)
    exchanges = load(tmp_path, text)
    assert [(each.request.method, each.request.uri) for each in exchanges] == [(r.method, r.uri) for r in requests]
    assert [each.response.body for each in exchanges] == [r["body"]["string"] for r in responses]
    assert [each.response.status for each in exchanges] == [r["status"]["code"] for r in responses]


def test_a_response_with_an_empty_body(tmp_path: Path) -> None:
    """vcrpy's aiohttp takes a body without a text for none."""
    (exchange,) = load(tmp_path, BY_HAND.replace('{string: "yes"}', "{}"))
    assert exchange.response.body == b""


@pytest.mark.parametrize("metadata", [{}, {"metadata": {"mine": 1}}])
def test_a_file_in_vcrpys_layout_without_its_version_is_cut(tmp_path: Path, metadata: dict[str, Any]) -> None:
    """vcrpy writes the version last, so that a file of its own which lacks it has lost its end."""
    whole = serialize({**vcrpys(), **metadata}, yamlserializer)
    assert whole.endswith("version: 1\n")
    with pytest.raises(CassetteError, match="breaks off: vcrpy ends it with `version: 1`; add that if it is whole"):
        load(tmp_path, whole.removesuffix("version: 1\n"))


@pytest.mark.parametrize("serializer", [yamlserializer, jsonserializer])
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None)
def test_both_serializers_of_vcrpy(
    tmp_path_factory: pytest.TempPathFactory, serializer: Any, sent: str, came: str
) -> None:
    """Whatever text vcrpy wrote, as YAML or as JSON, comes back byte for byte."""
    (exchange,) = load(tmp_path_factory.mktemp("forms"), serialize(vcrpys(sent, came), serializer))
    assert exchange.request.body == sent.encode()
    assert exchange.response.body == came.encode()
    assert (exchange.request.method, exchange.response.status, exchange.response.reason) == ("POST", 200, "OK")


def test_compact_json(tmp_path: Path) -> None:
    """JSON without a blank reads as JSON, and a fault in it is named by its line."""
    data = json.loads(serialize(vcrpys(), jsonserializer))
    (exchange,) = load(tmp_path, json.dumps(data, separators=(",", ":")))
    assert json.loads(exchange.response.body) == CAME
    (tmp_path / "c.yaml").write_text(json.dumps(data, indent=1).replace('"code": 200', '"code": "ok"'))
    with pytest.raises(CassetteError, match=r"c\.yaml:17: holds 'ok' where a whole number was expected"):
        load_cassette(tmp_path / "c.yaml")


@pytest.mark.parametrize("spoilt", ["\r\n", "bom", "gzip", "base64"])
def test_the_same_file_as_others_keep_it(tmp_path: Path, spoilt: str) -> None:
    """Line ends of Windows, a byte order mark and gzip, also as base64, change nothing."""
    text = serialize(vcrpys(string="data: 1\n\ndata: [DONE]\n\n"), yamlserializer)
    kept = {
        "\r\n": text.replace("\n", "\r\n").encode(),
        "bom": text.encode("utf-8-sig"),
        "gzip": gzip.compress(text.encode()),
        "base64": base64.encodebytes(gzip.compress(text.encode())),
    }
    (exchange,) = load(tmp_path, kept[spoilt])
    assert exchange.response.body == b"data: 1\n\ndata: [DONE]\n\n"


def test_parsed_bodies(tmp_path: Path) -> None:
    """A body that pydantic-ai's serializer kept as data comes back as JSON of the same types."""
    text = yaml.dump(
        {
            "interactions": [
                {
                    "request": {"headers": {}, "method": "POST", "parsed_body": SENT, "uri": "https://x/"},
                    "response": {"headers": {"content-length": ["1066"]}, "parsed_body": CAME, "status": {"code": 200}},
                },
                {
                    "request": {"headers": {}, "method": "GET", "body": None, "uri": "https://x/", "parsed_body": None},
                    "response": {"headers": {}, "status": {"code": 204, "message": None}},
                },
            ],
            "version": 1,
        }
    )
    first, second = load(tmp_path, text)
    assert json.loads(first.request.body) == SENT
    assert json.loads(first.response.body) == CAME
    assert dict(first.response.headers) == {"content-length": str(len(first.response.body))}  # not that of bytes gone
    assert (second.request.body, second.response.body, second.response.reason) == (b"", b"", "")


def test_shared_objects(tmp_path: Path) -> None:
    """What Python shared, ``yaml.dump`` writes as anchors and aliases."""
    message = {"role": "user", "content": "Hi"}
    headers = {"accept": ["*/*"]}
    body = {"messages": [message, message]}
    request = {"headers": headers, "method": "POST", "uri": "https://x/", "parsed_body": body}
    response = {"headers": headers, "status": {"code": 200, "message": "OK"}, "parsed_body": body}
    text = yaml.dump({"interactions": [{"request": request, "response": response}], "version": 1})
    assert all(name in text for name in ("&id001", "*id001", "&id002", "*id002"))
    (exchange,) = load(tmp_path, text)
    assert json.loads(exchange.request.body) == json.loads(exchange.response.body) == body
    assert exchange.request.headers == (("accept", "*/*"),)


def test_python_tags_that_vcrpy_reads(tmp_path: Path) -> None:
    """Text of Python 2, tuples, and bodies that were a file or an iterator are read as the data they hold."""
    written = yamlserializer.serialize(
        {
            "version": 1,
            "interactions": [
                {
                    "request": {"method": "POST", "uri": "https://x/", "body": body, "headers": {"accept": ("*/*",)}},
                    "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b"\xff"}},
                }
                for body in (io.BytesIO(b"file"), iter([b"one ", b"two"]))
            ],
        }
    )
    assert all(tag in written for tag in ("_io.BytesIO", "builtins.iter", "python/tuple"))
    text = written.replace("message: OK", "message: !!python/unicode 'OK'")
    first, second = load(tmp_path, text)
    assert (first.request.body, second.request.body, first.response.body) == (b"file", b"one two", b"\xff")
    assert (first.request.headers, first.response.reason) == ((("accept", "*/*"),), "OK")


def test_bodies_of_aiohttp(tmp_path: Path) -> None:
    """JSON that vcrpy's aiohttp stub kept as data has its types, and a body no longer coded loses the header."""
    text = serialize(vcrpys(body=None, Content_Encoding="gzip", Transfer_Encoding="chunked"), yamlserializer)
    text = text.replace("body: null", "body: {max_tokens: 100, stream: true, model: '1'}")
    (exchange,) = load(tmp_path, text)
    assert exchange.request.body == b'{"max_tokens":100,"stream":true,"model":"1"}'
    assert exchange.response.headers == (("content-type", "application/json"),)
    assert json.loads(exchange.response.body) == CAME


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_coded_bodies(tmp_path: Path, coding: str) -> None:
    """What vcrpy kept as it travelled is read as what it says."""
    coded = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](json.dumps(CAME).encode())
    (exchange,) = load(tmp_path, serialize(vcrpys(string=coded, content_encoding=coding), yamlserializer))
    assert json.loads(exchange.response.body) == CAME
    assert exchange.response.headers == (("content-type", "application/json"),)


def test_two_lists(tmp_path: Path) -> None:
    """The form of langchain-tests loads; where a response is missing, it was cut."""
    saved = vcrpys(json.dumps(SENT).encode(), json.dumps(CAME).encode())
    saved["requests"] = [{"method": r.method, "uri": r.uri, "body": r.body, "headers": {}} for r in saved["requests"]]
    (exchange,) = load(tmp_path, gzip.compress(yaml.safe_dump(saved).encode()))
    assert (json.loads(exchange.request.body), json.loads(exchange.response.body)) == (SENT, CAME)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(saved | {"responses": []}))
    with pytest.raises(CassetteError, match="1 requests and 0 responses"):
        load_cassette(tmp_path / "c.yaml")


def test_headers_in_every_shape(tmp_path: Path) -> None:
    """A value, a list, a list in a list, bytes and nothing at all are read as what was sent."""
    text = serialize(vcrpys(), yamlserializer)
    headers = "{a: one, b: [two, three], c: [[four]], d: [!!binary Zml2ZQ==], e: null, f: []}"
    (exchange,) = load(tmp_path, text.replace("headers:\n      Accept:\n      - '*/*'", f"headers: {headers}"))
    assert exchange.request.headers == (
        *(("a", "one"), ("b", "two"), ("b", "three"), ("c", "four"), ("d", "five"), ("e", "")),
    )


def test_a_body_of_a_form_of_its_own_is_refused(tmp_path: Path) -> None:
    """What a serializer that is not known did with a response is not taken for its content."""
    text = serialize(vcrpys(string="?"), yamlserializer).replace("string: '?'", "compressed: H4sI")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(CassetteError, match=r"c\.yaml:\d+: holds a body in a form of its own"):
        load_cassette(tmp_path / "c.yaml")


def test_ruby_vcr_and_betamax(tmp_path: Path) -> None:
    """Their form loads: methods in lower case, bodies with their encoding, base64 where it is no text."""
    coded = base64.b64encode(b"\xff\x00").decode()
    text = f"""---
http_interactions:
- request:
    method: post
    uri: https://x/
    body:
      encoding: UTF-8
      string: '{{"a":1}}'
    headers:
      Accept:
      - "*/*"
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type: application/octet-stream
    body:
      encoding: ASCII-8BIT
      base64_string: {coded}
    http_version:
  recorded_at: Sat, 01 Mar 2025 10:00:00 GMT
"""
    (exchange,) = load(tmp_path, text + "recorded_with: VCR 6.3.1\n")
    assert (exchange.request.method, exchange.request.body, exchange.response.body) == ("POST", b'{"a":1}', b"\xff\x00")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(CassetteError, match="breaks off: it has no `recorded_with`"):
        load_cassette(tmp_path / "c.yaml")


def test_cassetter(tmp_path: Path) -> None:
    """Its form loads: a status that is a number, and bodies of four kinds."""
    text = """version: 1
interactions:
- request:
    method: POST
    uri: https://x/
    headers: {accept: ['*/*']}
    body: {type: json, content: {a: 1, b: "yes", c: null}}
  response:
    status: 429
    headers: {}
    body: {type: text, content: "data: 1\\n\\n"}
  recorded_at: 2026-11-21T11:50:29.832023+00:00
- request: {method: GET, uri: https://x/, headers: {}, body: {type: none}}
  response: {status: 200, headers: {}, body: {type: binary, content: ff00}}
"""
    first, second = load(tmp_path, text)
    assert (first.request.body, first.response.status) == (b'{"a":1,"b":"yes","c":null}', 429)
    assert (first.response.body, second.request.body, second.response.body) == (b"data: 1\n\n", b"", b"\xff\x00")
