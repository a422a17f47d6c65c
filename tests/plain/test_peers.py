"""Beside pytest-recording and pytest-vcr: theirs stays theirs, scenarios stay ours, and no trial's request goes out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.faces.conftest import desk, recorded
from tests.plain.test_marker import ASK
from tests.project import Done, MiniProject

__all__ = ["desk", "recorded"]

PEERS = {"recording": "--record-mode", "vcr": "--vcr-record"}
FOLDER = os.environ.get("HARNESS_PEERS")
TEST = f"{ASK}\n@pytest.mark.vcr\ndef test_it():\n    ask(q=1)\n"

pytestmark = [
    pytest.mark.skipif(
        FOLDER is None,
        reason="HARNESS_PEERS names no folder; make one: pip install --no-deps --target PEERS/recording "
        "pytest-recording, and the same for PEERS/vcr with pytest-vcr",
    ),
    pytest.mark.parametrize("peer", PEERS),
]


def run(project: MiniProject, peer: str, *arguments: str, first: bool = True, **environ: str) -> Done:
    """Pytest with the peer installed, found before us or after; with workers, all is imported anew in that order."""
    add = "insert(0, " if first else "append("
    found = f"sys.path.{add}{str(Path(FOLDER or '', peer).resolve())!r})"
    ignored = ("-W", "ignore::pytest.PytestRemovedIn10Warning") if hasattr(pytest, "PytestRemovedIn10Warning") else ()
    return project.pytest("-q", *ignored, *arguments, prelude=found, cold="-n" in arguments, **environ)


@pytest.fixture
def both(desk: MiniProject, peer: str, server: Any) -> MiniProject:
    """A recorded scenario, and a test that the peer recorded."""
    desk.write({"before/test_it.py": TEST, "zafter/test_it.py": "def test_it():\n    pass\n"})
    done = run(desk, peer, "before", f"{PEERS[peer]}=once", "--import-mode=importlib", URL=server.url)
    assert done.code == 0, done.text
    (cassette,) = desk.root.rglob("before/cassettes/**/test_it.yaml")
    assert "metadata" not in cassette.read_text()
    return desk


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_in_peace(both: MiniProject, peer: str, server: Any, first: bool, workers: tuple[str, ...]) -> None:
    """In either order and with workers: the peer replays its cassettes as it does, we replay ours."""
    both.edit("before/test_it.py", "q=1", "q=2")  # which the peer does not see
    done = run(both, peer, "--import-mode=importlib", *workers, first=first, URL=server.url)
    assert done.code == 0, done.text
    assert "3 passed" in done.out
    assert server.count == 1


@pytest.mark.parametrize("first", [True, False])
def test_blocked_it_makes_room(both: MiniProject, peer: str, server: Any, first: bool) -> None:
    """With `-p no:…` the marker and the flags are ours, and its cassettes replay with our matching."""
    arguments = ("-p", f"no:{peer}", "--import-mode=importlib")
    dirs = f"\nimport os, pytest\n@pytest.fixture\ndef vcr_cassette_dir():\n    return {str(folder_of(both))!r}\n"
    both.write({"before/conftest.py": dirs})
    done = run(both, peer, *arguments, "--record-mode=none", first=first, URL=server.url)
    assert done.code == 0, done.text
    done = run(both.edit("before/test_it.py", "q=1", "q=2"), peer, *arguments, first=first, URL=server.url)
    assert done.code == 1
    assert "`POST /a`: its body differs" in done.out
    assert server.count == 1


def test_its_mode_is_ours(both: MiniProject, peer: str, server: Any) -> None:
    """What its flag says holds for scenarios as ours would: none replays, a mode that mixes is refused by name."""
    flag = PEERS[peer]
    assert run(both, peer, "scenarios", f"{flag}=none", URL=server.url).code == 0
    done = run(both, peer, "scenarios", f"{flag}=all", URL=server.url)
    assert done.code == 1
    assert f"{flag}=all: is for tests of your own" in done.out


def test_its_block_hinders_no_replay(both: MiniProject, peer: str) -> None:
    """Scenarios replay as ever where it blocks the network."""
    if peer == "recording":
        assert run(both, peer, "scenarios", "--block-network").code == 0


@pytest.mark.parametrize("where", ["around", "inside", "overlapping"])
def test_foreign_cassettes(both: MiniProject, peer: str, server: Any, where: str) -> None:
    """A vcr cassette around a trial, inside it, or left open in a test before, stops it by name; nothing is sent."""
    opened = f"import vcr\nCASSETTE = vcr.use_cassette({str(both.root / 'theirs.yaml')!r}, record_mode='all')\n"
    both.write({"theirs.py": opened})
    if where == "around":
        conftest = (both.root / "conftest.py").read_text()
        hook = "\ndef pytest_runtestloop():\n    from theirs import CASSETTE\n    CASSETTE.__enter__()\n"
        both.write({"conftest.py": conftest + hook})
    elif where == "inside":
        both.edit(
            "desk.py", "    tool = task", "    from theirs import CASSETTE\n    CASSETTE.__enter__()\n    tool = task"
        )
    else:
        both.write(
            {
                "before/test_it.py": "from theirs import CASSETTE\ndef test_it():\n    CASSETTE.__enter__()\n",
                "zafter/test_it.py": "from theirs import CASSETTE\ndef test_it():\n    CASSETTE.__exit__()\n",
            }
        )
    selected = ("scenarios",) if where != "overlapping" else ("before", "scenarios", "zafter")
    done = run(
        both, peer, "--import-mode=importlib", *selected, OPENAI_BASE_URL=f"{server.url}/v1", OPENAI_API_KEY="none"
    )
    assert done.code == 1, done.text
    words = "is opened inside a trial" if where == "inside" else "a vcr cassette is open around this trial"
    assert words in done.out
    assert server.count == 1, server.received


def folder_of(project: MiniProject) -> Path:
    """Where the peer's cassette lies."""
    (cassette,) = project.root.rglob("before/cassettes/**/test_it.yaml")
    return cassette.parent
