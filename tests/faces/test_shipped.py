"""The shipped scenarios give the same bytes through every door, and need no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HARNESS = "import sys; from harness.cli import main; sys.exit(main())"
PYTEST = "import sys, pytest; sys.exit(pytest.main())"


def _namespace_works() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0


def run(arguments: list[str], *, prefix: tuple[str, ...] = (), cwd: Path = ROOT) -> None:
    """Run a command without any key; it must succeed."""
    environ = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    command = [*prefix, sys.executable, "-c", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a plain run writes."""
    out = tmp_path_factory.mktemp("plain")
    run([HARNESS, "run", "--out", str(out)])
    return (out / "results.json").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        [HARNESS, "run", "-j", "1", "--out"],
        [HARNESS, "run", "-j", "32", "--out"],
        [HARNESS, "run", str(ROOT / "scenarios"), "--out"],
        [PYTEST, "scenarios", "-q", "-p", "no:cacheprovider", "--harness-out"],
        [PYTEST, "scenarios", "-q", "-p", "no:cacheprovider", "-n", "2", "--harness-out"],
    ],
    ids=["one at a time", "many at once", "from another folder", "pytest", "pytest -n 2"],
)
def test_every_door_writes_the_same_bytes(arguments: list[str], results: bytes, tmp_path: Path) -> None:
    """How, where and by what a replay is run does not show in its results."""
    elsewhere = str(ROOT / "scenarios") in arguments
    run([*arguments, str(tmp_path / "out")], cwd=tmp_path if elsewhere else ROOT)
    assert (tmp_path / "out/results.json").read_bytes() == results


@pytest.mark.skipif(not _namespace_works(), reason="this machine allows no network namespaces (`unshare -rn`)")
def test_no_interface_is_needed(results: bytes, tmp_path: Path) -> None:
    """In a network namespace that has no interface, the scenarios pass and write the same bytes."""
    run([HARNESS, "run", "--out", str(tmp_path)], prefix=("unshare", "-rn"))
    assert (tmp_path / "results.json").read_bytes() == results
