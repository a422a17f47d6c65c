"""``harness import`` and ``harness export``: all or nothing, the same each time, and nothing overwritten."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import yaml
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from harness.cassettes import load_cassette, save_cassette
from harness.cli import main
from harness.records.exchange import Cassette, Chunk, Ending, Exchange, HttpRequest, HttpResponse
from tests.project import MiniProject

VCRPYS = """\
interactions:
- request:
    body: '{"model": "gpt-5-mini", "messages": []}'
    headers:
      authorization: [Bearer sk-proj-0123456789abcdefghijKLMNOP]
      cookie: [__cf_bm=1]
      content-type: [application/json]
    method: POST
    uri: https://api.openai.com/v1/chat/completions
  response:
    body: {string: '{"said": "sk-proj-0123456789abcdefghijKLMNOP", "n": 1}'}
    headers:
      content-type: [application/json]
      set-cookie: [__cf_bm=2]
    status: {code: 200, message: OK}
version: 1
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the cassettes of two test modules."""
    monkeypatch.chdir(tmp_path)
    for name in ("test_chat/test_hello.yaml", "test_chat/test_bye.yaml", "test_other/test_x.yaml"):
        file = tmp_path / "tests" / "cassettes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(VCRPYS)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_files_keep_their_places(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each lands below --out as it lay below the folder that was named, cleaned, saying where it comes from."""
    assert main(["import", "tests/cassettes", "--out", "ours"]) == 0
    assert sorted(files(project / "ours")) == [
        "test_chat/test_bye.yaml",
        "test_chat/test_hello.yaml",
        "test_other/test_x.yaml",
    ]
    assert "ours/test_chat/test_bye.yaml  1 exchange\n" in capsys.readouterr().out
    loaded = load_cassette(project / "ours" / "test_chat" / "test_bye.yaml")
    assert loaded.imported_from == "tests/cassettes/test_chat/test_bye.yaml"
    for data in files(project / "ours").values():
        assert b"0123456789abcdefghij" not in data
        assert b"__cf_bm=1" not in data
        assert b"'__cf_bm=*masked*'" in data
        assert b"authorization" not in data


def test_again_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second import, of the same files or of what was imported, leaves every byte."""
    assert main(["import", "tests/cassettes", "--out", "ours"]) == 0
    before = files(project / "ours")
    capsys.readouterr()
    assert main(["import", "tests/cassettes", "--out", "ours"]) == 0
    assert main(["import", "ours", "--out", "ours"]) == 0
    assert capsys.readouterr().out.count(", unchanged") == 6
    assert files(project / "ours") == before


def test_in_place(project: Path) -> None:
    """With --out at the folder itself, cassettes are rewritten where tests look for them."""
    assert main(["import", "tests/cassettes", "--out", "tests/cassettes"]) == 0
    text = (project / "tests/cassettes/test_chat/test_bye.yaml").read_text()
    assert text.startswith("version: 1\nmetadata:\n  harness: 1\n  exchanges: 1\n")


def test_what_holds_something_else_is_not_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A target with another recording ends in code 2, with its name, and nothing is written."""
    there = project / "ours" / "test_chat" / "test_hello.yaml"
    there.parent.mkdir(parents=True)
    there.write_text(VCRPYS.replace("gpt-5-mini", "gpt-5"))
    before = files(project)
    for command in ("import", "export"):
        assert main([command, "tests/cassettes", "--out", "ours"]) == 2
        assert "ours/test_chat/test_hello.yaml:1: holds another recording" in capsys.readouterr().err
        assert files(project) == before


def test_all_faults_at_once_and_nothing_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file that can't be read is named by its line, and the good ones wait."""
    cassettes = project / "tests" / "cassettes"
    (cassettes / "a.yaml").write_text(VCRPYS.removesuffix("version: 1\n"))
    (cassettes / "b.yaml").write_text("version: 1\ninteractions:\n- !!python/object/apply:os.system [id]\n")
    (cassettes / "c.yml").write_text("a: b: c\n")
    assert main(["import", "tests/cassettes", "--out", "ours"]) == 2
    error = capsys.readouterr().err
    assert "tests/cassettes/a.yaml:1: the file breaks off" in error
    assert "tests/cassettes/b.yaml:3: holds the tag" in error
    assert "tests/cassettes/c.yml:1: is not valid YAML" in error
    assert "nothing was written" in error
    assert not (project / "ours").exists()


def test_names_and_other_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """gzip and JSON become YAML; two that would become one are refused; other JSON in a folder is left alone."""
    cassettes = project / "tests" / "cassettes"
    (cassettes / "packed.yaml.gz").write_bytes(gzip.compress(VCRPYS.encode()))
    (cassettes / "notes.json").write_text('{"a": 1}')
    (cassettes / ".hidden.yaml").write_text("x")
    assert main(["import", "tests/cassettes", "--out", "ours"]) == 0
    assert "packed.yaml" in files(project / "ours")
    assert len(files(project / "ours")) == 4
    (cassettes / "packed.json").write_text(json.dumps({"version": 1, "interactions": []}))
    assert main(["import", "tests/cassettes", "--out", "more"]) == 2
    assert (
        "packed.yaml.gz:1: would become more/packed.yaml, like tests/cassettes/packed.json" in capsys.readouterr().err
    )
    assert main(["import", "nowhere", "--out", "more"]) == 2
    assert main(["import", "tests/cassettes/notes.json", "--out", "more"]) == 2
    error = capsys.readouterr().err
    assert "nowhere: does not exist" in error
    assert "notes.json:1: the file breaks off, or is no cassette" in error


def test_a_recording_of_ours_goes_out_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exported it is vcrpy's to the letter: vcrpy saves it again without a change. What we add is left out."""
    monkeypatch.chdir(tmp_path)
    request = HttpRequest(method="POST", uri="http://x/", headers=(("accept", "a"),), body=b"{}")
    response = HttpResponse(
        status=200,
        reason="OK",
        body=b"\xffab",
        chunks=(Chunk(size=3, at=5),),
        ending=Ending.CUT,
        headers=(("location", "b"),),
    )
    save_cassette(tmp_path / "c.yaml", Cassette(exchanges=(Exchange(request=request, response=response, head=3),)))
    assert main(["export", "c.yaml", "--out", "out"]) == 0
    text = (tmp_path / "out" / "c.yaml").read_text()
    assert "harness" not in text
    (back,) = load_cassette(tmp_path / "out" / "c.yaml").exchanges
    assert (back.request, back.response.body) == (request, b"\xffab")
    requests, responses = FilesystemPersister.load_cassette("out/c.yaml", yamlserializer)
    FilesystemPersister.save_cassette("again.yaml", {"requests": requests, "responses": responses}, yamlserializer)
    assert (tmp_path / "again.yaml").read_text() == text


def test_what_vcrpy_cannot_replay_is_not_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An exchange without a response is named, and nothing is written."""
    lost = Exchange(
        request=HttpRequest(method="GET", uri="http://x/"), response=HttpResponse(status=0, reason="ReadError")
    )
    save_cassette(tmp_path / "c.yaml", Cassette(exchanges=(lost,)))
    assert main(["export", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert r"c.yaml:1: can't be exported: exchange 1 had no response (ReadError)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_scenario_plays_a_cassette_without_version(desk: MiniProject) -> None:
    """A scenario's recording may have been written by hand, as a stock cassette without its version."""
    assert desk.harness("export", "cassettes/status/default/1.yaml", "--out", "stock").code == 0
    cassette = yaml.safe_load((desk.root / "stock/1.yaml").read_text(encoding="utf-8"))
    del cassette["version"]
    desk.write({"cassettes/status/default/1.yaml": yaml.safe_dump(cassette, default_flow_style=True)})
    done = desk.harness("run")
    assert done.code == 0, done.text
