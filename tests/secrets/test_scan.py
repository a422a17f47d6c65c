"""`harness scan` names each secret in a file by line and kind, and never says it."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.cli import main
from tests.project import Done, MiniProject

Scan = Callable[..., Done]

KEY = "sk-proj-" + "Ab12" * 10
SHARED = Path(__file__).parents[3] / "shared" / "recordings" / "cassettes"


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scan:
    """The command in this process, in a folder of its own; keywords are variables of the environment."""
    monkeypatch.chdir(tmp_path)

    def run(*paths: str, **environ: str) -> Done:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = main(["scan", *paths])
        return Done(code, *capsys.readouterr())

    return run


def cassette(body: object, **headers: str) -> str:
    """A cassette of one exchange as stock vcrpy writes it."""
    return yaml.dump(
        {
            "interactions": [
                {
                    "request": {
                        "method": "POST",
                        "uri": "https://x/v1?key=abcdefghijk12",
                        "headers": {name.replace("_", "-"): [value] for name, value in headers.items()},
                        "body": "{}",
                    },
                    "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": body}},
                }
            ],
            "version": 1,
        }
    )


def test_a_clean_project_is_silent(desk: MiniProject) -> None:
    """Scenarios, recordings, baselines and reports, as they come out of a recording and a run."""
    assert desk.harness("run").code == 0
    done = desk.harness("scan")
    assert (done.code, done.text) == (0, "")


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("scenarios/a.yaml", f"input: hello\nnote: {KEY}\n", ["scenarios/a.yaml:2: OpenAI key"]),
        ("cassettes/a/baseline.json", json.dumps({"a": [KEY]}, indent=1), ["cassettes/a/baseline.json:3: OpenAI key"]),
        ("reports/r/index.html", f"<p>\n\n<b>{KEY}</b>", ["reports/r/index.html:3: OpenAI key"]),
        ("cassettes/a/1.journal", f"version: 1\ninteractions:\n- {KEY}", ["cassettes/a/1.journal:3: OpenAI key"]),
    ],
)
def test_each_line_is_named(tmp_path: Path, scan: Scan, name: str, text: str, lines: list[str]) -> None:
    """By default in the scenarios, cassettes and reports."""
    MiniProject(tmp_path).write({name: text, "elsewhere.txt": KEY})
    done = scan()
    assert (done.code, done.out.splitlines(), done.err) == (1, lines, "")


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(json.dumps({"key": KEY}).encode()),
        base64.b64encode(gzip.compress(KEY.encode())).decode(),
        "".join(f'data: {{"choices":[{{"index":0,"delta":{{"content":"{part}"}}}}]}}\n\n' for part in ("sk-", KEY[3:])),
        "é" + KEY,
        b"\xff" + KEY.encode(),
        "word " * 30 + "\t\x07" + KEY,
    ],
    ids=["gzip", "gzip in base64", "stream", "escaped", "binary", "folded"],
)
def test_a_body_is_looked_into(tmp_path: Path, scan: Scan, body: object) -> None:
    """Packed, streamed in pieces, escaped, folded: the line is one of the body's in the file."""
    text = cassette(body)
    MiniProject(tmp_path).write({"tests/cassettes/a.yaml": text})
    done = scan("tests")
    found = [line.split(": ", 1) for line in done.out.splitlines()]
    assert done.code == 1
    assert {kind for _, kind in found} == {"OpenAI key", "key in an address"}
    (place,) = (place for place, kind in found if kind == "OpenAI key")
    line = int(place.rpartition(":")[2])
    first = next(number for number, said in enumerate(text.splitlines(), 1) if said.lstrip().startswith("string:"))
    last = next(number for number, said in enumerate(text.splitlines(), 1) if said.lstrip().startswith("headers: {}"))
    assert line >= first
    assert last < first
    assert KEY not in done.text


@pytest.mark.parametrize(
    ("header", "value", "kinds"),
    [
        ("x_api_key", "abcdefg1234567890", {"credential in a header"}),
        ("authorization", "Bearer abcdefg1234567890hijk", {"bearer token"}),
        ("authorization", "Basic abcdefg1234567890hijk", {"credential in a header"}),
        ("authorization", "Bearer test_openai_api_key", set()),
        ("authorization", "**REDACTED**", set()),
        ("cookie", "__cf_bm=abc123def456; path=/", {"cookie"}),
    ],
)
def test_headers_of_other_tools(tmp_path: Path, scan: Scan, header: str, value: str, kinds: set[str]) -> None:
    """Cassettes of other tools hold headers that ours never do; placeholders are none."""
    MiniProject(tmp_path).write({"a.yaml": cassette("{}", **{header: value})})
    found = scan("a.yaml").out.splitlines()
    assert {line.partition(": ")[2] for line in found} - {"key in an address"} == kinds


def test_values_of_variables_are_looked_for(tmp_path: Path, scan: Scan) -> None:
    """Where CI holds the secret, it is found in whatever file; the project may name further ones."""
    settings = '[tool.harness]\nsecrets = ["CUSTOMER", "ACME-[0-9]{4}"]\n'
    files = {"pyproject.toml": settings, "a/b.txt": "swordfish99\nAda Lovelace ACME-1234\nc3dvcmRmaXNoOTk=\n"}
    MiniProject(tmp_path).write(files)
    done = scan("a", SHOP_TOKEN="swordfish99", CUSTOMER="Ada Lovelace")
    assert done.code == 1
    assert done.out.splitlines() == [
        "a/b.txt:1: value of SHOP_TOKEN",
        "a/b.txt:2: configured pattern",
        "a/b.txt:2: value of CUSTOMER",
        "a/b.txt:3: value of SHOP_TOKEN",
    ]


def test_what_is_redacted_is_looked_for_where_it_is_kept(tmp_path: Path, scan: Scan) -> None:
    """In recordings and reports, not in scenarios, whose customers are made up."""
    settings = "[tool.harness.redact]\nemails = true\n"
    files = dict.fromkeys(("scenarios/a.yaml", "cassettes/a.yaml", "reports/a.json"), "a: ada@example.com\n")
    MiniProject(tmp_path).write({"pyproject.toml": settings, **files})
    done = scan()
    assert done.out.splitlines() == ["cassettes/a.yaml:1: email", "reports/a.json:1: email"]


@pytest.mark.parametrize("paths", [["nowhere.yaml"], ["scenarios", "nowhere"], []])
def test_what_can_not_be_read_is_an_error(tmp_path: Path, scan: Scan, paths: list[str]) -> None:
    """A path that is not there, and a project in which there is nothing to scan."""
    project = MiniProject(tmp_path)
    if len(paths) == 2:
        project.write({"scenarios/a.yaml": f"a: {KEY}\n"})
    done = scan(*paths)
    assert done.code == 2
    assert ("scenarios/a.yaml:1: OpenAI key" in done.out) == (len(paths) == 2)
    assert done.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path, scan: Scan) -> None:
    """Not silently passed over."""
    (tmp_path / "a.yaml").touch(mode=0)
    assert scan("a.yaml").code == 2


def test_the_shared_recordings_hold_cookies_only(tmp_path: Path, scan: Scan) -> None:
    """What their README says was left in, and nothing else."""
    if not SHARED.is_dir():
        pytest.skip("the shared recordings are not here")
    done = scan(str(SHARED))
    assert {line.partition(": ")[2] for line in done.out.splitlines()} == {"cookie"}
