"""A replay needs no network at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _namespace_works() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _namespace_works(), reason="this machine allows no network namespaces (`unshare -rn`)")
def test_shipped_scenarios_pass_without_an_interface(tmp_path: Path) -> None:
    """In a network namespace that has no interface, the shipped scenarios pass and write the same bytes."""
    code = "import sys; from harness.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", str(ROOT / "scenarios"), "--out"]
    environ = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    for prefix, out in ((["unshare", "-rn"], "inside"), ([], "outside")):
        done = subprocess.run(
            [*prefix, *command, str(tmp_path / out)], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "inside/results.json").read_bytes() == (tmp_path / "outside/results.json").read_bytes()
