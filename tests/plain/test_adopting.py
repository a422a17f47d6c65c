"""A project's own pytest-recording cassettes, imported where they lie: its tests go on as before."""

from __future__ import annotations

import gzip
import json

from vcr.request import Request
from vcr.serialize import serialize
from vcr.serializers import yamlserializer

from tests.cassettes.conftest import CHAT
from tests.project import MiniProject

TEST = """\
import pytest
from openai import OpenAI

SYSTEM = "Answer briefly."

@pytest.mark.vcr
def test_hello():
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Hi"}]
    reply = OpenAI(api_key="none").chat.completions.create(model="gpt-5-mini", messages=messages)
    assert reply.choices[0].message.content == "Hello — é"
"""
KEY = "sk-proj-0123456789abcdefghijKLMNOP"


def recorded() -> str:
    """What vcrpy recorded for that test: a key in a header, and the body as it travelled."""
    body = {"messages": [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    sent = json.dumps(body | {"model": "gpt-5-mini"})
    request = Request("POST", "https://api.openai.com/v1/chat/completions", sent, headers)
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"], "Content-Encoding": ["gzip"], "Set-Cookie": ["a=b"]},
        "body": {"string": gzip.compress(json.dumps(CHAT).encode())},
    }
    text: str = serialize({"requests": [request], "responses": [response]}, yamlserializer)
    return text


def test_cassettes_imported_in_place_go_on_answering(project: MiniProject) -> None:
    """The test is green before and after, the key is gone, and an edit of the prompt is found with its line."""
    cassette = "tests/cassettes/test_chat/test_hello.yaml"
    project.write({"tests/test_chat.py": TEST, cassette: recorded()})
    before = project.pytest("tests")
    assert before.code == 0, before.text
    imported = project.harness("import", "tests/cassettes", "--out", "tests/cassettes")
    assert (imported.code, imported.out) == (0, f"{cassette}  1 exchange\n"), imported.text
    text = (project.root / cassette).read_text(encoding="utf-8")
    assert text.startswith("version: 1\nmetadata:\n  harness: 1\n")
    assert "Hello" in text  # the content, no longer as it travelled
    assert KEY not in text
    after = project.pytest("tests")
    assert after.code == 0, after.text
    project.edit("tests/test_chat.py", "Answer briefly.", "Answer shortly.")
    edited = project.pytest("tests")
    assert edited.code == 1
    assert "system prompt" in edited.text


BY_HAND = """\
interactions:
- request: {method: GET, uri: "https://api.example.com/x", headers: {}, body: ''}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: ok}}
"""


def test_a_cassette_by_hand_has_no_version(project: MiniProject) -> None:
    """Neither a marked test nor the import asks for what vcrpy never asks for."""
    test = "import httpx2, pytest\n\n\n@pytest.mark.vcr\ndef test_it():\n"
    test += '    assert httpx2.get("https://api.example.com/x").text == "ok"\n'
    cassette = "cassettes/test_it/test_it.yaml"
    project.write({"test_it.py": test, cassette: BY_HAND})
    for said in ("1 exchange", "1 exchange, unchanged"):
        done = project.pytest("test_it.py")
        assert done.code == 0, done.text
        assert project.harness("import", "cassettes", "--out", "cassettes").out == f"{cassette}  {said}\n"
    assert (project.root / cassette).read_text(encoding="utf-8").startswith("version: 1\nmetadata:\n  harness: 1\n")


def test_a_broken_cassette_is_named(project: MiniProject) -> None:
    """A file that is no cassette fails its test with the place, and is left as it is."""
    project.write({"test_it.py": "import pytest\n\n\n@pytest.mark.vcr\ndef test_it():\n    pass\n"})
    project.write({"cassettes/test_it/test_it.yaml": "recordings: []\n"})
    done = project.pytest("test_it.py")
    assert "test_it.yaml:1: the file breaks off, or is no cassette: it has no `interactions`" in done.out
