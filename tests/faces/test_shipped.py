"""The shipped scenarios give the same bytes through every door, and need no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import MiniProject

ROOT = Path(__file__).parents[2]


def _namespace_works() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a plain run writes, one scenario after the other."""
    out = tmp_path_factory.mktemp("plain")
    done = MiniProject(ROOT).harness("run", "-j", "1", "--out", str(out))
    assert done.code == 0, done.text
    return (out / "results.json").read_bytes()


@pytest.mark.parametrize(
    ("door", "arguments"),
    [
        ("harness", ["run", "-j", "32", "--out"]),
        ("harness", ["run", str(ROOT / "scenarios"), "--out"]),
        ("pytest", ["scenarios", "--harness-out"]),
        ("pytest", ["scenarios", "-n", "2", "--harness-out"]),
    ],
    ids=["many at once", "from another folder", "pytest", "pytest -n 2"],
)
def test_every_door_writes_the_same_bytes(door: str, arguments: list[str], results: bytes, tmp_path: Path) -> None:
    """How, where and by what a replay is run does not show in its results."""
    elsewhere = str(ROOT / "scenarios") in arguments
    project = MiniProject(tmp_path if elsewhere else ROOT)
    done = (project.pytest if door == "pytest" else project.harness)(*arguments, str(tmp_path / "out"))
    assert done.code == 0, done.text
    assert (tmp_path / "out/results.json").read_bytes() == results


@pytest.mark.skipif(not _namespace_works(), reason="this machine allows no network namespaces (`unshare -rn`)")
def test_no_interface_is_needed(results: bytes, tmp_path: Path) -> None:
    """In a network namespace that has no interface, the scenarios pass and write the same bytes."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    code = "import sys; from harness.cli import main; sys.exit(main())"
    command = ["unshare", "-rn", sys.executable, "-c", code, "run", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results.json").read_bytes() == results
