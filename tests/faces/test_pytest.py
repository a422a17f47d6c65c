"""A user's own project under pytest: green, then red after they break it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import MiniProject

HEAVY = (
    "pydantic",
    "vcr",
    "openai",
    "anthropic",
    "httpx2",
    "yaml",
    "jinja2",
    "harness.records.run",
    "harness.pipeline",
)


def test_green(desk: MiniProject) -> None:
    """The recording replays, the report is written, and its path ends the summary. No key is needed."""
    done = desk.pytest("-q")
    assert done.code == 0, done.text
    assert "report: " in done.out.splitlines()[-2]
    assert (desk.root / "reports/latest/index.html").is_file()
    (trial,) = desk.results()["trials"]
    assert (trial["scenario"], trial["case"], trial["trial"], trial["outcome"]) == ("status", "default", 1, "passed")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("desk.py", "Answer in JSON.", "Answer in strict JSON.", ["stale", "turn 1", "system prompt", "line 1"]),
        ("desk.py", '"gpt-5-mini"', '"gpt-5"', ["stale", "turn 1", "model", "gpt-5-mini"]),
        ("desk.py", "order_id: str", "order_id: str, shop: str", ["stale", "turn 1", "tool `find_order`", "`shop`"]),
        ("scenarios/status.yaml", "Where is order 1042?", "Where is order 1042 now?", ["stale", "input"]),
        ("desk.py", 'world.state["orders"][order_id]', '{"status": "lost", "days": 9}', ["failed", "turn 2", "lost"]),
        ("desk.py", "    days: int\n", "    days: int\n    van: str\n", ["failed", "validator order", "van"]),
        ("scenarios/status.yaml", "{equals: {status: shipped", "{equals: {status: lost", ["output equals"]),
    ],
)
def test_red(desk: MiniProject, file: str, old: str, new: str, words: list[str]) -> None:
    """What they broke is named, and where; what is stale comes with the command."""
    done = desk.edit(file, old, new).pytest("-q")
    assert done.code == 1, done.text
    for word in [*words, "status"]:
        assert word in done.out
    assert ("harness record scenarios/status.yaml" in done.out) == ("stale" in words)


def test_selection(desk: MiniProject) -> None:
    """`-k`, a tag under `--strict-markers`, `--lf` and `-x` select as they do for any test."""
    assert desk.pytest("-q", "-k", "status").code == 0
    assert desk.pytest("-q", "-k", "nothing").code == 5
    assert desk.pytest("-q", "-k", "parcel and status").code == 0
    assert desk.pytest("-q", "-m", "parcel", "--strict-markers").code == 0
    assert desk.pytest("-q", "-m", "not parcel", "--strict-markers").code == 5
    assert desk.pytest("-q", "-x", "--lf", "-p", "cacheprovider").code == 0


def test_workers(desk: MiniProject) -> None:
    """Under xdist the controlling process writes the same results."""
    desk.pytest("-q")
    alone = (desk.root / "reports/latest/results.json").read_bytes()
    done = desk.pytest("-q", "-n", "2", "--harness-out", "elsewhere")
    assert done.code == 0, done.text
    assert (desk.root / "elsewhere/results.json").read_bytes() == alone


def test_not_selected(desk: MiniProject) -> None:
    """A session that leaves the scenarios out says so."""
    desk.write({"tests/test_a.py": "def test_a():\n    pass\n"})
    done = desk.pytest("-q", "tests")
    assert done.code == 0
    assert "1 scenario file in scenarios not selected" in done.out


def test_other_yaml_is_left_alone(desk: MiniProject) -> None:
    """YAML elsewhere is nobody's business of ours."""
    desk.write({"deploy/values.yaml": "a: [", "data.yml": "!!python/object:os.system x"})
    assert desk.pytest("-q").code == 0


def test_faulty_scenario(desk: MiniProject) -> None:
    """A faulty file is a collection error with its place and without a traceback."""
    done = desk.edit("scenarios/status.yaml", "subject: desk", "subjct: desk").pytest("-q")
    assert done.code == 2
    assert "scenarios/status.yaml:3:1: unknown key 'subjct'" in done.out
    assert "not selected" not in done.out
    assert "Traceback" not in done.out


def test_unrelated_session_is_left_alone(tmp_path: Path) -> None:
    """A project that is no user of ours imports nothing heavy, patches nothing and hears nothing of us."""
    MiniProject(tmp_path).write(
        {
            "test_a.py": f"""
import http.client, json, os, sys
before = (http.client.HTTPConnection, dict(os.environ))
def test_a():
    assert [name for name in {HEAVY!r} if name in sys.modules] == []
    assert http.client.HTTPConnection.__module__ == "http.client"
    assert "OPENAI_API_KEY" not in os.environ
"""
        }
    )
    quiet = ("-p", "no:xdist", "-p", "no:asyncio", "-p", "no:hypothesispytest")
    done = MiniProject(tmp_path).pytest("-q", *quiet, cold=True)
    assert done.code == 0, done.text
    assert "harness" not in done.text
    assert not (tmp_path / "reports").exists()


def test_import_is_light() -> None:
    """The root and the plugin import none of the heavy libraries."""
    code = f"import sys, json, harness, harness.plugin; print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_other_tests_run_unpatched(desk: MiniProject) -> None:
    """Interception is out of the way of the tests before and after the scenarios."""
    untouched = """
import httpx2
def test_unpatched():
    assert httpx2.HTTPTransport.handle_request.__module__.startswith("httpx2")
"""
    desk.write({"before/test_a.py": untouched, "zafter/test_z.py": untouched})
    done = desk.pytest("-q", "before", "scenarios", "zafter", "--import-mode=importlib")
    assert done.code == 0, done.text
    assert "3 passed" in done.out


def test_renamed(desk: MiniProject) -> None:
    """A scenario under a new name is unrecorded, and the accepted state that it left behind is no fault of its item."""
    (desk.root / "scenarios/status.yaml").rename(desk.root / "scenarios/parcel.yaml")
    done = desk.pytest("-q")
    assert done.code == 1, done.text
    assert "unrecorded: trial 1 of 1 has no recording" in done.out
    assert "harness record scenarios/parcel.yaml" in done.out
    assert {case["change"] for case in desk.results()["comparison"]["cases"]} == {"stale", "removed"}


def test_nothing_to_collect(desk: MiniProject) -> None:
    """A user of ours whose scenarios folder holds none is told so."""
    done = desk.write({"test_a.py": "def test_a():\n    pass\n"}).pytest("-q", HARNESS_SCENARIOS="elsewhere")
    assert done.code == 0
    assert "harness: there is no scenario file in elsewhere" in done.out


def test_key_of_a_stranger(tmp_path: Path) -> None:
    """A project that only has a folder of our name sees no placeholder for a key in its tests."""
    test = "import os\ndef test_a():\n    assert 'OPENAI_API_KEY' not in os.environ\n"
    done = MiniProject(tmp_path).write({"scenarios/a.yaml": "a: 1\n", "test_a.py": test}).pytest("-q")
    assert done.code == 0, done.text
    assert "harness" not in done.out


@pytest.mark.parametrize(
    "arguments", [("agents",), ("agents/scenarios/status.yaml::default",), ("--rootdir=.", "agents")]
)
def test_project_within_a_repository(desk: MiniProject, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Where pytest's root is that of a repository around the project, its scenarios are still found."""
    desk.root.rename(tmp_path / "agents")
    outer = MiniProject(tmp_path).write({"pyproject.toml": "[tool.pytest.ini_options]\nminversion = '7'\n"})
    done = outer.pytest("-q", *arguments)
    assert done.code == 0, done.text
    assert (tmp_path / "agents/reports/latest/index.html").is_file()
