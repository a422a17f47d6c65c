"""Where there is no POSIX: the package imports, records, replays and accepts. Not run on Windows itself by us."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.platforms.windows import ABSENT_MODULES
from tests.project import DESK, MiniProject
from tests.warm import Done

ROOT = Path(__file__).parents[2]
DOOR = f"import runpy, sys; sys.argv[0] = {str(Path(__file__).with_name('windows.py'))!r}; "
DOOR += "runpy.run_path(sys.argv[0], run_name='__main__')"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the imitation asks /proc which files are open")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulated provider for the desk."""
    project = MiniProject(tmp_path_factory.mktemp("provider")).write(DESK)
    with running_provider([project.root / "status.script.yaml"]) as address:
        yield address


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, url: str) -> Path:
    """The desk, recorded there."""
    project = MiniProject(tmp_path_factory.mktemp("recorded")).write(DESK)
    done = on_windows(project, "harness", "record", url=url)
    assert done.code == 0, done.text
    return project.root


@pytest.fixture
def desk(recorded: Path, tmp_path: Path) -> MiniProject:
    """A copy of it that a test may change."""
    return MiniProject(Path(shutil.copytree(recorded, tmp_path / "desk")))


def on_windows(project: MiniProject, door: str, *arguments: str, url: str = "") -> Done:
    """A command of ours with what Windows lacks taken away; with ``url`` it may ask that provider."""
    keys = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "simulated"} if url else {}
    return project.run(DOOR, door, *arguments, **keys)


def written(project: MiniProject) -> dict[str, bytes]:
    """What is to be committed, and the results."""
    files = [*(project.root / "cassettes").rglob("*"), project.root / "reports/latest/results.json"]
    return {file.relative_to(project.root).as_posix(): file.read_bytes() for file in files if file.is_file()}


def test_a_project_lives(desk: MiniProject) -> None:
    """Recorded, replayed, accepted, replayed by pytest: the files are whole, without a line end of Windows.

    An arrow, which the code page lacks, becomes its escape, and the command ends as it would have.
    """
    for arguments in (["run"], ["accept", "--yes"], ["run"], ["drift"], ["scan"]):
        done = on_windows(desk, "harness", *arguments)
        assert done.code == 0, done.text
    files = written(desk)
    assert sorted(files) == [
        "cassettes/status/baseline.json",
        "cassettes/status/default/1.yaml",
        "reports/latest/results.json",
    ]
    assert not [name for name, data in files.items() if b"\r" in data]
    # capturing descriptors, pytest would ask for the class of a console of Windows
    done = on_windows(desk, "pytest", "-q", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert done.code == 0, done.text
    assert desk.harness("run").code == 0
    assert written(desk) == files
    done = on_windows(desk, "harness", "mv", "status", "parcel/status")
    assert done.code == 0, done.text
    assert r"scenarios/status.yaml \u2192 scenarios/parcel/status.yaml" in done.out


def test_an_extension_waits_and_is_accepted(desk: MiniProject, url: str) -> None:
    """What is pending takes the place of the old recording."""
    desk.edit("desk.py", "Answer in JSON.", "Answer in strict JSON.")
    assert on_windows(desk, "harness", "run").code == 3
    extended = on_windows(desk, "harness", "run", "--mode", "extend", url=url)
    assert extended.code == 0, extended.text
    accepted = on_windows(desk, "harness", "accept", "--yes")
    assert accepted.code == 0, accepted.text
    assert sorted(written(desk))[:2] == ["cassettes/status/baseline.json", "cassettes/status/default/1.yaml"]
    assert on_windows(desk, "harness", "run").code == 0


def test_a_recording_that_died_is_gone_on_with(tmp_path: Path, url: str) -> None:
    """Its journal is there, is named, and answers the next recording."""
    desk = MiniProject(tmp_path).write(DESK)
    die = "        if len(messages) > 3:\n            __import__('os')._exit(9)\n        message = reply"
    desk.edit("desk.py", "        message = reply", die)
    assert on_windows(desk, "harness", "record", url=url).code == 9
    kept = on_windows(desk, "harness", "recover")
    assert "cassettes/status/default/1.journal: 2 exchanges kept" in kept.out, kept.text
    desk.edit("desk.py", die, "        message = reply")
    done = on_windows(desk, "harness", "record", url="http://127.0.0.1:9")
    assert done.code == 0, done.text
    assert sorted(written(desk)) == ["cassettes/status/default/1.yaml"]


def test_isolation_is_refused_by_name(desk: MiniProject) -> None:
    """Where there are no namespaces, that is said before anything runs."""
    done = on_windows(desk, "harness", "run", "--isolated")
    assert done.code not in (0, 1), done.text
    assert "--isolated needs Linux; this is win32" in done.err


@pytest.mark.parametrize("file", sorted((ROOT / "harness").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT)))
def test_files_do_not_depend_on_the_system(file: Path) -> None:
    """A module of POSIX is imported under a condition only; no text is read or written in the system's own coding."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        assert not ABSENT_MODULES & {*names}, f"line {node.lineno}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TEXTUAL:
            given = {word.arg for word in node.keywords}
            assert "encoding" in given, f"line {node.lineno}"
            assert node.func.attr == "read_text" or "newline" in given, f"line {node.lineno}"


_TEXTUAL = ("read_text", "write_text")
