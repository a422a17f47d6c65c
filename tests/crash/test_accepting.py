"""Commands that write, killed on their way: everything is as it was, or as it is to be."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from tests.crash.teller import kept, keys, make
from tests.project import MiniProject
from tests.warm import Warm

KILLS = 25


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory, harness: Warm, url: str) -> Path:
    """Recorded and accepted, and then edited."""
    folder = make(tmp_path_factory.mktemp("edited") / "project")
    for arguments in (["record"], ["run"], ["accept", "--yes"]):
        done = harness.run(folder, *arguments, **keys(url))
        assert done.code == 0, done.text
    MiniProject(folder).edit("teller.py", "part 4.", "part 4, the last.")
    return folder


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory, edited: Path, harness: Warm, url: str) -> Path:
    """With recordings that wait to be accepted."""
    folder = tmp_path_factory.mktemp("extended") / "project"
    shutil.copytree(edited, folder)
    done = harness.run(folder, "run", "--mode", "extend", **keys(url))
    assert "3 pending" in done.text
    return folder


def state(folder: Path) -> dict[str, bytes]:
    """Every file among the recordings."""
    files = (file for file in (folder / "cassettes").rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_accept_killed_at_any_instant(tmp_path: Path, harness: Warm, extended: Path) -> None:
    """Recordings and baselines change together or not at all; one that only reads says what to do in between."""
    before = state(extended)
    whole = Path(shutil.copytree(extended, tmp_path / "whole"))
    accepted = harness.run(whole, "accept", "--yes")
    assert accepted.code == 0, accepted.text
    after = state(whole)
    assert set(before) - set(after) == {name for name in before if "pending" in name}
    draw, ends = random.Random(7), set()
    for number in range(KILLS):
        folder = Path(shutil.copytree(extended, tmp_path / str(number)))
        assert harness.run(folder, "accept", "--yes", at=draw.randrange(accepted.touched)).code < 0
        if (folder / "cassettes/.transaction.json").is_file():
            done = harness.run(folder, "run")
            assert done.code == 2
            assert "finish it: harness recover" in done.text
        done = harness.run(folder, "recover")
        assert done.code == 0, done.text
        assert state(folder) in (before, after), number
        ends.add(state(folder) == after)
    assert ends == {True, False}


def test_run_killed_at_any_instant(tmp_path: Path, harness: Warm, edited: Path) -> None:
    """Each file of a report is the old one or the new one, whole; the next run leaves nothing else."""
    folder = Path(shutil.copytree(edited, tmp_path / "run"))
    latest = folder / "reports/latest"
    before = (latest / "results.json").read_bytes()
    names = sorted(file.name for file in latest.iterdir())
    whole = Path(shutil.copytree(edited, tmp_path / "whole"))
    ran = harness.run(whole, "run")
    after = (whole / "reports/latest/results.json").read_bytes()
    assert before != after
    draw = random.Random(7)
    for _ in range(KILLS):
        assert harness.run(folder, "run", at=draw.randrange(ran.touched // 2, ran.touched)).code < 0
        assert (latest / "results.json").read_bytes() in (before, after)
        json.loads((latest / "run.json").read_text())
        assert (latest / "index.html").read_text().rstrip().endswith("</html>")
    assert harness.run(folder, "run").code == ran.code
    assert sorted(file.name for file in latest.iterdir()) == names


def test_extension_killed_at_any_instant(tmp_path: Path, harness: Warm, edited: Path, url: str) -> None:
    """What is accepted stays; a new answer that the agent was told of is kept, and the next extension ends well."""
    before = state(edited)
    whole = Path(shutil.copytree(edited, tmp_path / "whole"))
    extended = harness.run(whole, "run", "--mode", "extend", **keys(url))
    draw = random.Random(7)
    for number in range(KILLS):
        folder = Path(shutil.copytree(edited, tmp_path / str(number)))
        (folder / "heard.txt").unlink()
        at = draw.randrange(extended.touched)
        assert harness.run(folder, "run", "--mode", "extend", at=at, **keys(url)).code < 0
        held = state(folder)
        assert {name: held[name] for name in before} == before, number
        told = (folder / "heard.txt").read_text() if (folder / "heard.txt").is_file() else ""
        new = sum(count for text, count in kept(folder).items() if "the last" in text)
        assert new >= told.count("the last"), number
        if number % 5 == 0:
            done = harness.run(folder, "run", "--mode", "extend", **keys(url))
            assert done.code == extended.code, done.text
            assert sorted(state(folder)) == sorted(state(whole))


def test_pytest_names_what_was_interrupted(tmp_path: Path, edited: Path) -> None:
    """A session in CI says that there is an interrupted recording, and with what it is seen to."""
    folder = Path(shutil.copytree(edited, tmp_path / "project"))
    (folder / "cassettes/owl/default/1.journal").touch()
    done = MiniProject(folder).pytest("scenarios")
    assert "interrupted recordings: 1; harness recover" in done.out


def test_pytest_refuses_what_is_half_accepted(tmp_path: Path, edited: Path) -> None:
    """An item whose recordings may be half changed fails with the command that finishes the change."""
    folder = Path(shutil.copytree(edited, tmp_path / "project"))
    (folder / "cassettes/.transaction.json").write_text('{"writes": [], "removes": []}')
    done = MiniProject(folder).pytest("scenarios")
    assert done.code == 1, done.text
    assert "finish it: harness recover" in done.out


def test_accept_where_one_file_can_not_be_written(tmp_path: Path, harness: Warm, extended: Path) -> None:
    """The file is named, the code is 4, and no recording and no other baseline has changed."""
    folder = Path(shutil.copytree(extended, tmp_path / "project"))
    (folder / "cassettes/owl/baseline.json").unlink()
    (folder / "cassettes/owl/baseline.json").mkdir()
    before = state(folder)
    done = harness.run(folder, "accept", "--yes")
    assert done.code == 4, done.text
    assert "cassettes/owl/baseline.json: Is a directory; check the path, its permissions and the disk" in done.text
    assert state(folder) == before
