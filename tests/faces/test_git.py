"""Files in whose place git left something else are called by that name, with their line, by every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.git import left_by_git
from tests.project import MiniProject

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"
CASSETTE, RESULTS = "cassettes/status/default/1.yaml", "reports/latest/results.json"
READERS = [
    ("harness run", CASSETTE),
    ("harness drift", CASSETTE),
    (f"harness show {CASSETTE}", CASSETTE),
    (f"harness import {CASSETTE} --out imported", CASSETTE),
    (f"harness export {CASSETTE} --out exported", CASSETTE),
    ("harness mv status other", CASSETTE),
    ("harness scan", CASSETTE),
    ("harness run", "cassettes/status/baseline.json"),
    ("harness mv status other", "cassettes/status/baseline.json"),
    ("harness run", "scenarios/status.yaml"),
    ("harness run", "pyproject.toml"),
    ("harness provider --port 0 --script status.script.yaml", "status.script.yaml"),
    (f"harness report {RESULTS}", RESULTS),
    (f"harness compare {RESULTS} {RESULTS}", RESULTS),
    (f"harness show {RESULTS}", RESULTS),
    ("harness accept --yes", RESULTS),
]


def conflicting(text: str, line: int) -> str:
    """A text in which a merge left both versions of a line, the marker in its place."""
    lines = text.splitlines(keepends=True)
    ours = lines[line - 1].rstrip("\n")
    both = ["<<<<<<< HEAD\n", f"{ours}\n", "=======\n", f"{ours}  \n", ">>>>>>> feature\n"]
    return "".join([*lines[: line - 1], *both, *lines[line:]])


def put_back(project: MiniProject, file: str, line: int) -> str:
    """Put a pointer in the place of a file, or with a line a conflict into it; what is to be said of it."""
    text = (project.root / file).read_text(encoding="utf-8")
    project.write({file: conflicting(text, line) if line else POINTER})
    what = "holds a merge-conflict marker, '<<<<<<< HEAD'; resolve the conflict"
    return (
        f"{file}:{line}: {what}" if line else f"{file}:1: is a Git LFS pointer, not the file itself; run `git lfs pull`"
    )


@pytest.mark.parametrize("line", [0, 1, 2])
@pytest.mark.parametrize(("command", "file"), READERS)
def test_it_is_named(desk: MiniProject, command: str, file: str, line: int) -> None:
    """A pointer of Git LFS and a conflict end in 2 with file, line and what to do, without a traceback."""
    if file == RESULTS:
        assert desk.harness("run").code == 0
    said = put_back(desk, file, line)
    done = desk.harness(*command.split()[1:])
    assert done.code == 2, done.text
    assert said in done.err
    assert "Traceback" not in done.text


@pytest.mark.parametrize("line", [0, 2])
@pytest.mark.parametrize("file", [CASSETTE, "cassettes/status/baseline.json", "scenarios/status.yaml"])
def test_pytest_names_it(desk: MiniProject, file: str, line: int) -> None:
    """So does the item of a scenario."""
    said = put_back(desk, file, line)
    done = desk.pytest("-q", "scenarios")
    assert done.code != 0
    assert said in done.out
    assert "Traceback" not in done.text


@pytest.mark.parametrize("line", [0, 2])
def test_a_marked_test_names_it(tmp_path: Path, line: int) -> None:
    """So does a user's own test, whose cassette another tool wrote."""
    file = "cassettes/test_it/test_it.yaml"
    test = "import pytest\n\n\n@pytest.mark.vcr\ndef test_it():\n    pass\n"
    project = MiniProject(tmp_path).write({"test_it.py": test, file: "version: 1\ninteractions: []\n"})
    said = put_back(project, file, line)
    done = project.pytest("-q", "test_it.py")
    assert done.code == 1
    assert said in done.out
    assert "Traceback" not in done.text


def test_a_conflict_within_quotes_is_no_text(desk: MiniProject) -> None:
    """Other tools wrap long bodies, so that YAML takes both versions and the markers for one text."""
    wrapped = 'version: 1\ninteractions:\n- request: {method: GET, uri: u, headers: {}, body: "a\n    b\n    c"}\n'
    desk.write({CASSETTE: conflicting(wrapped, 4)})
    assert f"{CASSETTE}:4: holds a merge-conflict marker" in desk.harness("show", CASSETTE).err


def test_a_folder_with_a_pointer_is_not_imported_in_part(desk: MiniProject) -> None:
    """Whether a JSON file holds a recording is unknown while Git LFS has it."""
    desk.write({"old/a.yaml": "version: 1\ninteractions: []\n", "old/b.json": POINTER})
    done = desk.harness("import", "old", "--out", "new")
    assert done.code == 2
    assert "old/b.json:1: is a Git LFS pointer" in done.err
    assert not (desk.root / "new").exists()


@pytest.mark.parametrize(
    "text",
    [
        "Title\n=======\n",
        "input: |\n  <<<<<<< HEAD\n  a\n  =======\n  b\n  >>>>>>> feature\n",
        "<<<<<<<<<<<<<<<<\n",
        "a: version https://git-lfs.github.com/spec/v1\n",
        ">>>>>>>\n",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    """A heading, an indented example and other rows of signs are text."""
    assert left_by_git(text.encode(), "a.yaml") is None


def test_windows_line_ends_and_the_other_side() -> None:
    """The first marker that is left is named, whichever it is and however its line ends."""
    assert str(left_by_git(b"a: 1\r\n>>>>>>> feature\r\n", "a.yaml")) == (
        "a.yaml:2: holds a merge-conflict marker, '>>>>>>> feature'; resolve the conflict"
    )
    assert str(left_by_git(POINTER.replace("\n", "\r\n").encode(), "a.yaml")).startswith("a.yaml:1: is a Git LFS")
