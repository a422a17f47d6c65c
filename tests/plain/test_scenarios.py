"""What the flags of plain tests mean for scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.faces.conftest import desk, recorded
from tests.project import MiniProject

__all__ = ["desk", "recorded"]


def test_none_replays_and_rewrite_records(desk: MiniProject) -> None:
    """`none` is replay; `rewrite` asks the provider anew, and what it recorded replays."""
    assert desk.pytest("-q", "--record-mode=none").code == 0
    cassette = desk.root / "cassettes/status/default/1.yaml"
    cassette.unlink()
    with running_provider([desk.root / "status.script.yaml"]) as url:
        done = desk.pytest("-q", "--record-mode=rewrite", OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="simulated")
    assert done.code == 0, done.text
    assert '"mode": "record"' in (desk.root / "reports/latest/run.json").read_text()
    assert cassette.is_file()
    assert desk.pytest("-q").code == 0


def test_recording_needs_a_key(desk: MiniProject) -> None:
    """The placeholder of replay never stands in for a key that a recording needs."""
    done = desk.pytest("-q", "--record-mode=rewrite")
    assert done.code == 1
    assert "api_key" in done.out


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_other_modes_are_refused_by_name(desk: MiniProject, mode: str) -> None:
    """A scenario can't be recorded in part by a plain test's mode; the plain tests beside it go on."""
    desk.write({"test_a.py": "def test_a():\n    pass\n"})
    done = desk.pytest("-q", f"--record-mode={mode}")
    assert done.code == 1
    assert f"--record-mode={mode}: is for tests of your own; for scenarios none replays and rewrite records" in done.out
    assert "1 failed, 1 passed" in done.out


def test_a_blocked_network_hinders_no_replay(desk: MiniProject, tmp_path: Path) -> None:
    """Scenarios replay as ever under `--block-network`."""
    assert desk.pytest("-q", "--block-network").code == 0


def test_cassettes_of_tests_are_no_leftovers(desk: MiniProject) -> None:
    """A test module in the project's own folder has its cassettes among the scenarios'; none of them is an orphan."""
    desk.write({"test_a.py": "", "cassettes/test_a/1/1.yaml": "", "cassettes/test_gone/1/1.yaml": ""})
    done = desk.harness("drift")
    assert "test_a" not in done.text
    assert "test_gone" in done.text
    assert done.code == 1


def test_a_project_sees_the_flags(desk: MiniProject) -> None:
    """The flags are in the help, and the markers are known under `--strict-markers`."""
    help_ = desk.pytest("--help").out
    assert all(flag in help_ for flag in ("--record-mode", "--block-network", "--allowed-hosts", "--disable-recording"))
    marks = "@pytest.mark.vcr\n@pytest.mark.default_cassette('a')\n@pytest.mark.block_network\n"
    desk.write({"test_a.py": f"import pytest\n{marks}def test_a():\n    pass\n"})
    done = desk.pytest("-q", "--strict-markers", "test_a.py", "-n", "2")
    assert "1 passed" in done.out, done.text
