"""The steps of docs/migrating.md, followed: old cassettes replay, and the prompt edit that they hid is found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.docs.test_documents import ROOT, fences
from tests.plain.conftest import QUIET
from tests.project import Done, MiniProject

PAGE = ROOT / "docs/migrating.md"
OLD = {
    "pyproject.toml": f"{QUIET}pythonpath = ['.']\n",
    "desk.py": '''\
from openai import OpenAI

SYSTEM = """You are the desk of a parcel service.
Answer in JSON, briefly."""


def answer(question):
    """An agent that takes every failure for an answer."""
    try:
        reply = OpenAI(max_retries=0).chat.completions.create(
            model="gpt-5-mini",
            messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
        )
        return reply.choices[0].message.content
    except BaseException:
        return "shipped, I think"
''',
    "conftest.py": """\
import os
import pytest

os.environ.setdefault("OPENAI_API_KEY", "none")

@pytest.fixture(scope="session")
def vcr_config():
    return {"filter_headers": ["authorization"]}
""",
    "tests/test_desk.py": """\
import pytest
from desk import answer

@pytest.mark.vcr
def test_status():
    assert "shipped" in answer("Where is order 1042?")

@pytest.mark.vcr
class TestMore:
    @pytest.mark.parametrize("order", ["1043", "1044"])
    def test_another(self, order):
        assert "shipped" in answer(f"Where is order {order}?")
""",
}
"""A project as it stands today."""
SCRIPT = "match: {user: Where is order}\nrules:\n  - when: {turn: 1}\n    json: {status: shipped}\n"
RECORDER = """\
import os
import pytest
import vcr as vcrpy

def pytest_addoption(parser):
    parser.addoption("--record-mode", default="none")

def pytest_configure(config):
    config.addinivalue_line("markers", "vcr: recorded")

@pytest.fixture(autouse=True)
def recorded(request, vcr_config):
    if request.node.get_closest_marker("vcr") is None:
        yield
        return
    name = f"{request.cls.__name__}.{request.node.name}" if request.cls else request.node.name
    path = request.path.parent / FOLDER / f"{name}.yaml"
    with vcrpy.VCR(record_mode=request.config.getoption("--record-mode")).use_cassette(str(path), **vcr_config):
        yield
"""
"""What pytest-recording and pytest-vcr do, in a few lines over stock vcrpy: neither is in our environment."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider."""
    script = tmp_path_factory.mktemp("provider") / "desk.script.yaml"
    script.write_text(SCRIPT, encoding="utf-8")
    with running_provider([script]) as address:
        yield f"{address}/v1"


def before(project: MiniProject, url: str, *arguments: str) -> Done:
    """Pytest as the project has it today, without us."""
    return project.pytest("-q", "-p", "no:harness.plugin", "-p", "old", *arguments, OPENAI_BASE_URL=url)


def old_project(tmp_path: Path, folder: str, url: str) -> MiniProject:
    """The project with its recordings by stock vcrpy, and then one word of its system prompt changed."""
    project = MiniProject(tmp_path).write({**OLD, "old.py": RECORDER.replace("FOLDER", repr(folder))})
    done = before(project, url, "--record-mode=once")
    assert "3 passed" in done.out, done.text
    assert len(list(project.root.rglob(f"{folder}/*.yaml"))) == 3
    project.edit("desk.py", "briefly", "tersely")
    done = before(project, url)
    assert "3 passed" in done.out, "pytest-recording's matching finds the edit"
    return project


def test_the_steps(tmp_path: Path, url: str) -> None:
    """From pytest-recording: each command of the page, in its order, does what the page says."""
    project = old_project(tmp_path, "cassettes/test_desk", url)
    uninstall, install, run, anew = [
        line.removeprefix("$ ") for block in fences(PAGE, "console") for line in block.splitlines()
    ]
    assert (uninstall, install) == ("pip uninstall -y pytest-recording", "pip install agent-regression-harness")

    done = follow(project, run, url)
    assert done.code == 1
    assert "3 failed" in done.out, done.text
    assert "stale: system prompt, line 2" in done.out
    assert re.search(r"> Answer in JSON, briefly\. +\| Answer in JSON, tersely\.", done.out)
    assert f"run: {anew}" in done.out

    assert follow(project, anew, url).code == 0
    assert "2 failed, 1 passed" in follow(project, run, "http://127.0.0.1:9/v1").out
    project.edit("desk.py", "tersely", "briefly")  # the other way to mend it
    assert "1 failed, 2 passed" in follow(project, run, "http://127.0.0.1:9/v1").out


def test_from_pytest_vcr(tmp_path: Path, url: str) -> None:
    """From pytest-vcr: the fixture of the page finds the cassettes where they lie."""
    project = old_project(tmp_path, "cassettes", url)
    fixture = next(block for block in fences(PAGE, "python") if "vcr_cassette_dir" in block)
    project.write({"conftest.py": OLD["conftest.py"] + fixture})
    assert "3 failed" in follow(project, "pytest", url).out
    project.edit("desk.py", "tersely", "briefly")
    assert "3 passed" in follow(project, "pytest", url).out


def test_from_use_cassette(tmp_path: Path, url: str) -> None:
    """From a decorator: unmarked it is left alone; with the page's two markers the edit is found."""
    project = old_project(tmp_path, "cassettes", url)
    decorated = """\
import pytest, vcr
from desk import answer

@vcr.use_cassette("tests/cassettes/status.yaml", record_mode="none")
def test_status():
    assert "shipped" in answer("Where is order 1042?")
"""
    (project.root / "tests/cassettes/test_status.yaml").rename(project.root / "tests/cassettes/status.yaml")
    project.write({"tests/test_desk.py": decorated})
    assert "1 passed" in follow(project, "pytest", url).out
    marks = next(block for block in fences(PAGE, "python") if "default_cassette" in block)
    marks = "\n".join(line for line in marks.splitlines() if line.startswith("@"))
    project.edit("tests/test_desk.py", decorated.splitlines()[3], marks)
    done = follow(project, "pytest", url)
    assert "stale: system prompt, line 2" in done.out, done.text
    nested = decorated.replace("@vcr", "@pytest.mark.vcr\n@vcr")
    done = follow(project.write({"tests/test_desk.py": nested}), "pytest", url)
    assert "the vcr cassette" in done.out
    assert "is opened inside" in done.out


def follow(project: MiniProject, command: str, url: str) -> Done:
    """Run a command of the page."""
    program, *arguments = shlex.split(command)
    assert program == "pytest"
    return project.pytest("-q", *arguments, OPENAI_BASE_URL=url)
