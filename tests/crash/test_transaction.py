"""Several files change in one act, whenever the process dies."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.disk import locked
from harness.errors import BadInputError
from harness.settings import Project, load_project
from harness.store import check_finished, commit, finish
from tests.crash.killing import killed_at

RECORD = ".transaction.json"
BEFORE = {"a/x/1.yaml": b"old\n", "a/x/1.pending.yaml": b"new\n", "a/baseline.json": b"{}\n", "b/y/1.yaml": b"b\n"}
AFTER = {"a/x/1.yaml": b"new\n", "a/baseline.json": b"[]\n", "c/y/1.yaml": b"b\n"}


def make_project(root: Path, files: Mapping[str, bytes] = BEFORE) -> Project:
    """A project with these recordings."""
    for name, data in files.items():
        file = root / "cassettes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return load_project(root, {})


def change(project: Project) -> None:
    """From BEFORE to AFTER: one file new, two others, two gone."""
    top = project.cassettes
    commit(
        project,
        {top / name: data for name, data in AFTER.items()},
        [top / name for name in BEFORE if name not in AFTER],
    )


def record_of(staged: str) -> bytes:
    """The record of an act that would write one file and remove another."""
    write = {"staged": staged, "file": "cassettes/b/y/2.yaml", "digest": ""}
    return json.dumps({"writes": [write], "removes": ["cassettes/b/y/1.yaml"]}).encode()


def held(project: Project) -> dict[str, bytes]:
    """Every file below the recordings."""
    files = (file for file in project.cassettes.rglob("*") if file.is_file())
    return {file.relative_to(project.cassettes).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The files of a project in which :func:`change` was decided, and nothing of it done."""
    root = tmp_path_factory.mktemp("interrupted")
    for count in itertools.count():
        project = make_project(root / str(count))
        assert killed_at(count, lambda project=project: change(project))
        if RECORD in held(project):
            return held(project)
    raise AssertionError


def test_all_files_change_at_once(tmp_path: Path) -> None:
    """Writes and removals are done, folders left empty are gone, and nothing else is left."""
    project = make_project(tmp_path)
    change(project)
    assert held(project) == AFTER
    assert not (project.cassettes / "b").exists()


@pytest.mark.exhaustive
def test_whenever_it_is_killed_all_or_nothing_has_changed(tmp_path: Path) -> None:
    """Killed at each instant, the next command finds the old state or makes the new one, and no leftovers."""
    ends = set()
    for count in itertools.count():
        project = make_project(tmp_path / str(count))
        if not killed_at(count, lambda project=project: change(project)):
            break
        finish(project)
        state = held(project)
        assert state in (BEFORE, AFTER), count
        ends.add(state == AFTER)
    assert count > 60
    assert ends == {True, False}


@pytest.mark.exhaustive
def test_whenever_finishing_is_killed_it_can_be_finished(tmp_path: Path, interrupted: Mapping[str, bytes]) -> None:
    """A recovery may die as well: the next one ends what was decided."""
    files = {**BEFORE, **interrupted}
    for count in itertools.count():
        project = make_project(tmp_path / str(count), files)
        died = killed_at(count, lambda project=project: finish(project))
        finish(project)
        assert held(project) == AFTER, count
        if not died:
            break
    assert count > 20


def test_a_reader_is_told_of_an_act_that_is_half_done(tmp_path: Path, interrupted: Mapping[str, bytes]) -> None:
    """Who only reads gets the command that finishes it; afterwards nothing."""
    project = make_project(tmp_path)
    check_finished(project)
    make_project(tmp_path, interrupted)
    with pytest.raises(BadInputError, match=r"cassettes/\.transaction\.json: .* finish it: harness recover"):
        check_finished(project)
    assert finish(project)
    check_finished(project)
    assert not finish(project)


def test_the_next_act_finishes_the_one_before(tmp_path: Path, interrupted: Mapping[str, bytes]) -> None:
    """Nothing of a decided act is lost when another one begins without a recovery."""
    project = make_project(tmp_path)
    make_project(tmp_path, interrupted)
    commit(project, {project.cassettes / "d.yaml": b"d\n"})
    finish(project)
    assert held(project) == {**AFTER, "d.yaml": b"d\n"}


def test_a_failed_act_changes_nothing(tmp_path: Path) -> None:
    """Where one file can't be written, it is named, and all are as they were."""
    project = make_project(tmp_path, {**BEFORE, "c": b"a file where a folder is needed\n"})
    before = held(project)
    with pytest.raises(OSError, match=r"cassettes/c/y/1\.yaml|cassettes/c/y"):
        change(project)
    assert held(project) == before


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b"{", "is no record"),
        (b'{"writes": [], "removes": ["../precious"]}', "outside the cassettes"),
        (b'{"writes": [], "removes": ["cassettes/../precious"]}', "outside the cassettes"),
        (b'{"writes": [], "removes": ["cassettes/link/precious"]}', "outside the cassettes"),
        (record_of("cassettes/b/y/1.yaml"), "which no command writes"),
        (record_of("cassettes/b/y/.1.yaml.abcdefgh.tmp"), "is gone"),
    ],
)
def test_a_record_that_no_command_wrote_changes_nothing(tmp_path: Path, record: bytes, told: str) -> None:
    """A record may come with a pull request: it reaches nothing outside, and is refused as a whole."""
    project = make_project(tmp_path, {**BEFORE, RECORD: record})
    (tmp_path / "precious").write_text("kept")
    (project.cassettes / "link").symlink_to(tmp_path)
    before = held(project)
    with pytest.raises(BadInputError, match=f"{RECORD}: .*{told}.* delete this file"):
        finish(project)
    assert held(project) == before
    assert (tmp_path / "precious").read_text() == "kept"


def test_what_another_process_is_writing_is_not_swept(tmp_path: Path) -> None:
    """Leftovers go, but not out of a folder in which somebody writes right now."""
    left = {"a/.1.yaml.abcdefgh.tmp": b"", "b/.1.yaml.abcdefgh.tmp": b"", "b/.own.tmp": b""}
    project = make_project(tmp_path, left)
    with locked(project.cassettes / "a", shared=True):
        finish(project)
    assert set(held(project)) == {"a/.1.yaml.abcdefgh.tmp", "b/.own.tmp"}
