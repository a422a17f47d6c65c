"""A recording that is killed loses nothing that had ended, breaks no file, and goes on."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from harness.cassettes import Journal, load_cassette
from harness.providers.simulated import running_provider
from tests.crash.teller import heard, kept, keys, make
from tests.project import MiniProject
from tests.warm import Warm

KILLS = 200
PARTS = 8
"""The kills come in so many parts, so that several processes may share them."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, harness: Warm, url: str) -> tuple[int, float]:
    """How many instants a whole recording comes by, and how many seconds it takes."""
    folders = tmp_path_factory.mktemp("whole")
    for name in ("first", "second"):  # the first one waits for the processes to be there
        began = time.perf_counter()
        done = harness.run(make(folders / name), "record", **keys(url))
        assert done.code == 0, done.text
    return done.touched, time.perf_counter() - began


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.exhaustive) for part in range(1, PARTS))])
def test_killed_at_any_instant(tmp_path: Path, harness: Warm, url: str, whole: tuple[int, float], part: int) -> None:
    """What an agent was told the end of is on disk after the kill; `harness recover` and `harness record` end well."""
    instants, seconds = whole
    draw = random.Random(part)
    killed = number = 0
    while killed < KILLS // PARTS:  # an instant that came after the end was none
        number += 1
        assert number < KILLS, "recordings outlive their killer"
        folder = make(tmp_path / str(number))
        at, after = (draw.randrange(instants), None) if number % 3 else (None, draw.uniform(0.01, seconds))
        killed += harness.run(folder, "record", at=at, after=after, **keys(url)).code < 0
        told = heard(folder)
        assert told <= kept(folder), number
        if number % 6 == 0:
            check_recovered(harness, folder)
            assert told <= kept(folder), number
        if number % 12 == 0:
            check_recorded(harness, folder, url)


def check_recovered(harness: Warm, folder: Path) -> None:
    """Recovering ends well, and leaves only recordings and what is to be gone on with."""
    done = harness.run(folder, "recover")
    assert done.code == 0, done.text
    assert [file for file in folder.rglob(".*") if file.suffix in (".tmp", ".json")] == []


def check_recorded(harness: Warm, folder: Path, url: str) -> None:
    """The next recording ends well, leaves nothing behind, and replays."""
    done = harness.run(folder, "record", **keys(url))
    assert done.code == 0, done.text
    names = sorted(file.relative_to(folder).as_posix() for file in (folder / "cassettes").rglob("*") if file.is_file())
    assert names == [f"cassettes/{name}.yaml" for name in ("fox/default/1", "fox/default/2", "owl/default/1")]
    replayed = harness.run(folder, "run")
    assert replayed.code == 0, replayed.text


REST = "match: {user: Tell of}\nrules:\n" + "".join(
    f"  - when: {{user: part {number}}}\n    say: Once upon a time.\n" for number in (2, 3, 4)
)
"""Refuses what has been answered already."""


def test_the_next_recording_goes_on(tmp_path: Path, harness: Warm, url: str) -> None:
    """After a kill, the answers that had ended are used again, and only the rest is asked for."""
    folder = make(tmp_path / "teller")
    (folder / "end.txt").write_text(str(int(signal.SIGKILL)))
    assert harness.run(folder, "record", "scenarios/owl.yaml", **keys(url)).code == -signal.SIGKILL
    (folder / "end.txt").unlink()
    done = harness.run(folder, "run")
    assert "1 interrupted recording: harness recover" in done.text
    done = harness.run(folder, "recover")
    journal = "cassettes/owl/default/1.journal"
    assert done.text == f"{journal}: 1 exchange kept; used again by: harness record scenarios/owl.yaml\n"
    (folder / "tell.script.yaml").write_text(REST)
    with running_provider([folder / "tell.script.yaml"]) as rest:
        done = harness.run(folder, "record", "scenarios/owl.yaml", **keys(rest))
    assert done.code == 0, done.text
    assert sum(kept(folder).values()) == 4
    assert not (folder / journal).exists()
    done = harness.run(folder, "run", "scenarios/owl.yaml")
    assert done.code == 0, done.text
    assert harness.run(folder, "recover").text == "nothing was interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_hand(tmp_path: Path, harness: Warm, url: str, number: signal.Signals) -> None:
    """Control-C and SIGTERM end with 130, and say what is kept."""
    folder = make(tmp_path / "teller")
    (folder / "end.txt").write_text(str(int(number)))
    done = harness.run(folder, "record", "scenarios/owl.yaml", **keys(url))
    assert done.code == 130, done.text
    assert "1 answer is kept, and used again by the same command" in done.text
    assert "interrupted" in done.text
    assert "Traceback" not in done.text
    assert kept(folder) == heard(folder)


def test_two_at_once(tmp_path: Path, harness: Warm, url: str) -> None:
    """While one process records a trial, another is refused before it sends anything."""
    folder = make(tmp_path / "teller")
    journal = Journal(folder / "cassettes/owl/default/1.journal")
    journal.begin()
    for arguments in (["record"], ["run", "--mode", "extend"]):
        waiting = Journal(folder / "cassettes/owl/default/1.pending.journal")
        waiting.begin()
        done = harness.run(folder, *arguments, "scenarios/owl.yaml", **keys(url))
        assert done.code == 2, done.text
        assert "another process is recording this trial" in done.text
        assert not heard(folder)
        waiting.release()
    assert "another process is recording it" in harness.run(folder, "recover").text
    journal.release()


def test_a_whole_journal_becomes_the_recording(tmp_path: Path, harness: Warm, url: str) -> None:
    """Where only the cassette of an ended trial is missing, `harness recover` writes it: nobody is asked again."""
    folder = make(tmp_path / "teller")
    assert harness.run(folder, "record", "scenarios/owl.yaml", **keys(url)).code == 0
    file = folder / "cassettes/owl/default/1.yaml"
    cassette, before = load_cassette(file), file.read_bytes()
    journal = Journal(file.with_suffix(".journal"), cassette.metadata)
    journal.begin(reversed(cassette.exchanges))
    journal.end(cassette)
    journal.release()
    file.unlink()
    done = harness.run(folder, "recover", "scenarios/owl.yaml")
    assert done.text == "cassettes/owl/default/1.yaml: recovered whole, 4 exchanges\n"
    assert file.read_bytes() == before


def test_unanswered_recordings_leave_nothing(tmp_path: Path, harness: Warm) -> None:
    """A journal without an answer is removed, and so are its folders."""
    folder = make(tmp_path / "teller")
    journal = Journal(folder / "cassettes/owl/default/1.journal")
    journal.begin()
    journal.release()
    done = harness.run(folder, "recover")
    assert done.text == "cassettes/owl/default/1.journal: nothing had been answered; removed\n"
    assert list((folder / "cassettes").iterdir()) == []


def test_recovering_what_is_not_there(tmp_path: Path, harness: Warm) -> None:
    """A path that leads nowhere, and a journal that is none, are named; the others are seen to."""
    folder = make(tmp_path / "teller")
    assert harness.run(folder, "recover", "scenarios/elk.yaml").code == 2
    for name, text in (("1", "no journal"), ("2", "")):
        (folder / "cassettes/owl/default").mkdir(parents=True, exist_ok=True)
        (folder / f"cassettes/owl/default/{name}.journal").write_text(text)
    done = harness.run(folder, "recover")
    assert done.code == 2
    assert "1.journal:1: is no journal of this version; delete it to record anew" in done.text
    assert "2.journal: nothing had been answered; removed" in done.text


def test_a_folder_that_takes_nothing(tmp_path: Path, harness: Warm, url: str) -> None:
    """Where nothing can be recorded, that is said with the file's name before anything is sent, and the code is 4."""
    folder = make(tmp_path / "teller")
    (folder / "cassettes").mkdir()
    (folder / "cassettes/owl").touch()
    done = harness.run(folder, "record", "scenarios/owl.yaml", **keys(url))
    assert done.code == 4, done.text
    assert "cassettes/owl/default/1.journal:1: the journal can't be written: Not a directory" in done.text
    assert not heard(folder)


def test_a_disk_that_fills_up(tmp_path: Path, harness: Warm, url: str) -> None:
    """The agent gets the answer that was paid for; the old recording stays; what could not be kept is said."""
    folder = make(tmp_path / "teller")
    assert harness.run(folder, "record", "scenarios/owl.yaml", **keys(url)).code == 0
    before = (folder / "cassettes/owl/default/1.yaml").read_bytes()
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    MiniProject(folder).edit("conftest.py", "import harness\n", f"import harness\n{full}")
    (folder / "heard.txt").unlink()
    MiniProject(folder).edit("scenarios/owl.yaml", "the owl", "the old owl")
    done = harness.run(folder, "record", "scenarios/owl.yaml", **keys(url))
    assert done.code == 4, done.text
    assert sum(heard(folder).values()) == 4
    assert "cassettes/owl/default/1.yaml:1: can't be written: File too large; nothing was changed" in done.text
    assert "the journal holds only a part of its answers" in done.text
    assert (folder / "cassettes/owl/default/1.yaml").read_bytes() == before
