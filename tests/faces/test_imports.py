"""One SDK a scenario: the other is never imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from harness.cli import main
code = main(sys.argv[1:])
print(*sorted({"openai", "anthropic"} & set(sys.modules)))
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("scenario", "sdk"),
    [
        ("support/two-refunds", "openai"),
        ("research/harbour-fee", "openai"),
        ("support/order-status", "anthropic"),
        ("research/wind-limit", "anthropic"),
    ],
)
def test_only_the_sdk_that_is_used(scenario: str, sdk: str, tmp_path: Path) -> None:
    """Replaying a scenario imports the SDK that it goes over, and not the other."""
    command = [sys.executable, "-c", RUN, "run", f"scenarios/{scenario}.yaml", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == sdk
