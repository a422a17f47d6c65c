"""What a command imports: one SDK a scenario, and nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from harness.cli import main
code = main(sys.argv[1:])
print(*sys.modules)
sys.exit(code)
"""
FIRST = """
import sys
from harness.cli import main
from harness.commands.console import Progress
def hear(self, part):
    print(*sys.modules)
Progress.hear = hear
sys.exit(main(sys.argv[1:]))
"""
HEAVY = {"_pytest", "anthropic", "httpx", "hypothesis", "openai", "playwright", "pytest", "requests", "urllib3", "vcr"}
"""What takes its time to import, or is not there for everybody. The openai SDK imports aiohttp where it is there."""
ROOMS = {"harness.plain", "harness.plugin", "harness.items", "harness.providers.simulated", "harness.service"}
"""Rooms of ours that a replay has no use for."""
SDKS = "import sys, anthropic, httpx2, openai, pydantic; httpx2.AsyncClient(); print(*sys.modules)"
OURS = {"genai_prices", "harness", "regex", "time_machine", "yaml"}
"""All that a replay may load before its first result, beside what the SDKs, a client of theirs and Pydantic load."""
LATE = {"harness.reporting", "jinja2"}
"""What has its use only once all has run."""


def test_nothing_for_the_report_before_the_first_result(tmp_path: Path) -> None:
    """What writes the report is imported when all has run."""
    command = [sys.executable, "-c", FIRST, "run", "-q", "scenarios/support/order-status.yaml", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = set(done.stdout.splitlines()[0].split())
    assert loaded & LATE == set()
    sdks = subprocess.run([sys.executable, "-c", SDKS], capture_output=True, text=True, check=True).stdout.split()
    assert packages(loaded) - packages(sdks) <= OURS


def packages(modules: Iterable[str]) -> set[str]:
    """The packages of these modules that are neither Python's own nor the project's, nor private to another package."""
    names = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"scenarios"}
    return {name for name in names if not name.startswith(("conftest_", "_"))}


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
    """Replaying a scenario imports the SDK that it goes over, and of all that is heavy nothing else."""
    command = [sys.executable, "-c", RUN, "run", f"scenarios/{scenario}.yaml", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & HEAVY == {sdk}
    assert loaded & ROOMS == set()
