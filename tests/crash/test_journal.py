"""A journal keeps every exchange that had ended, and nothing that is torn."""

from __future__ import annotations

import itertools
import os
import resource
from pathlib import Path

import pytest

from harness.cassettes import Journal, Leftover, load_cassette, read_journal
from harness.disk import Lock
from harness.errors import CassetteError, UnwritableError
from harness.records.exchange import Cassette, CassetteMetadata, Ending, Exchange, HttpRequest, HttpResponse
from tests.crash.killing import killed_at

METADATA = CassetteMetadata(
    scenario="desk/refund",
    case="default",
    trial=2,
    judge="polite",
    recorded_at="2026-03-01T10:00:00Z",
    recorded_from="live provider",
    texts={"input": "8a36fe94d8b0a16a"},
)


def make_exchange(number: int, *, status: int = 200, ending: Ending = Ending.COMPLETE, body: str = "") -> Exchange:
    """An exchange that can be told from others, and whose body looks like an entry of a journal."""
    text = body or f"# exchange 3 0000000000000000\n# end of {number} \N{SNOWMAN}\n"
    return Exchange(
        request=HttpRequest(method="POST", uri="https://api.openai.com/v1/responses", body=text.encode()),
        response=HttpResponse(status=status, body=text.encode() * number, ending=ending),
        started=number,
    )


EXCHANGES = tuple(map(make_exchange, (1, 2, 3)))


def write(path: Path, *, end: bool = True) -> None:
    """A journal of three exchanges."""
    journal = Journal(path, METADATA)
    journal.begin()
    for exchange in EXCHANGES:
        journal.add(exchange)
    if end:
        journal.end(Cassette(metadata=METADATA.model_copy(update={"recorded_from": "simulated"}), exchanges=EXCHANGES))
    journal.release()


def test_a_journal_is_read_back(tmp_path: Path) -> None:
    """Exchanges and metadata come back equal; what the trial's end said of them counts."""
    write(tmp_path / "1.journal", end=False)
    left = read_journal(tmp_path / "1.journal")
    assert left is not None
    assert (left.metadata, left.exchanges, left.ended) == (METADATA, EXCHANGES, False)
    write(tmp_path / "1.journal")
    left = read_journal(tmp_path / "1.journal")
    assert left is not None
    assert left.metadata is not None
    assert (left.metadata.recorded_from, left.exchanges, left.ended) == ("simulated", EXCHANGES, True)


def test_a_journal_is_a_cassette_to_others(tmp_path: Path) -> None:
    """Whole journals load as what they are: text in the form of a cassette."""
    write(tmp_path / "1.journal")
    assert load_cassette(tmp_path / "1.journal").exchanges == EXCHANGES


def test_cut_anywhere_it_gives_what_is_whole(tmp_path: Path) -> None:
    """Of a journal cut at any byte, all exchanges before the cut come back, and no part of another."""
    path = tmp_path / "1.journal"
    write(path)
    data = path.read_bytes()
    head = data.index(b"interactions:\n") + len(b"interactions:\n")
    sizes = set()
    for size in range(head, len(data), 7):
        path.write_bytes(data[:size])
        left = read_journal(path)
        assert left is not None
        assert left.exchanges == EXCHANGES[: len(left.exchanges)]
        assert not left.ended
        sizes.add(len(left.exchanges))
    assert sizes == {0, 1, 2, 3}


def test_a_changed_byte_ends_it(tmp_path: Path) -> None:
    """An exchange that is not what was written is left out, with all that follows."""
    path = tmp_path / "1.journal"
    write(path)
    data = path.read_bytes().replace(b"end of 2", b"end of 9")
    path.write_bytes(data)
    left = read_journal(path)
    assert left is not None
    assert left.exchanges == EXCHANGES[:1]


def test_whenever_it_is_killed_every_exchange_that_was_added_is_there(tmp_path: Path) -> None:
    """What ``add`` returned from survives a kill at each instant; so does what an earlier process had kept."""

    def work(path: Path, log: int) -> None:
        journal = Journal(path, METADATA)
        journal.begin(EXCHANGES[:1])
        for exchange in EXCHANGES[1:]:
            journal.add(exchange)
            os.write(log, b".")
        journal.end(Cassette(metadata=METADATA, exchanges=EXCHANGES))
        journal.release()

    counts = []
    for count in itertools.count():
        path = tmp_path / str(count) / "1.journal"
        path.parent.mkdir()
        write(path, end=False)
        reading, writing = os.pipe()
        died = killed_at(count, lambda path=path, writing=writing: work(path, writing))
        os.close(writing)
        added = len(os.read(reading, 10))
        os.close(reading)
        left = read_journal(path)
        assert left is not None
        assert left.exchanges[:1] == EXCHANGES[:1]
        assert left.exchanges == EXCHANGES[: len(left.exchanges)]
        assert len(left.exchanges) >= 1 + added
        counts.append(added)
        if not died:
            break
    assert {0, 1, 2} <= set(counts)


def test_one_process_has_it_at_a_time(tmp_path: Path) -> None:
    """A second process is refused, reads nothing half-done, and harms nothing; a dead one is no obstacle."""
    path = tmp_path / "1.journal"
    first, second = Journal(path, METADATA), Journal(path, METADATA)
    first.begin(EXCHANGES[:1])
    with pytest.raises(CassetteError, match="another process is recording this trial"):
        second.begin()
    assert read_journal(path) is None
    first.add(EXCHANGES[1])
    first.release()
    second.begin(EXCHANGES)
    first.drop()
    first.end(Cassette(metadata=METADATA, exchanges=EXCHANGES[:2]))
    second.release()
    left = read_journal(path)
    assert left is not None
    assert (left.exchanges, left.ended) == (EXCHANGES, False)


def test_a_lock_is_on_the_file_that_is_there(tmp_path: Path) -> None:
    """A file that was replaced while one waited for it is not the one that is locked."""
    path = tmp_path / "1.journal"
    write(path)
    old = Lock(path)
    write(tmp_path / "new")
    (tmp_path / "new").replace(path)
    with Lock(path) as lock:
        assert lock.held
    old.release()


def test_failures_that_an_interruption_may_have_caused_are_asked_again() -> None:
    """What comes last and failed is not used again, nor what was never answered; an error that was retried is."""
    cut = make_exchange(9, ending=Ending.ABANDONED)
    tried = make_exchange(2, status=429)
    lost = make_exchange(4, status=0)
    left = Leftover(
        Path("1.journal"), METADATA, (EXCHANGES[2], EXCHANGES[0], tried, lost, EXCHANGES[1], cut), ended=False
    )
    assert left.usable == (EXCHANGES[0], tried, EXCHANGES[1], EXCHANGES[2])


def test_a_journal_that_holds_a_part_makes_no_cassette(tmp_path: Path) -> None:
    """Where a cassette is to hold more than its journal, as that of an earlier recording, the journal is no end."""
    journal = Journal(tmp_path / "1.journal", METADATA)
    journal.begin(EXCHANGES[:2])
    journal.end(Cassette(metadata=METADATA, exchanges=EXCHANGES))
    journal.release()
    left = read_journal(tmp_path / "1.journal")
    assert left is not None
    assert not left.ended


@pytest.mark.parametrize("content", [b"# journal", b"version: 1\n", b"\xff", b"# journal 0000000000000000 {}\n"])
def test_what_is_no_journal_is_named(tmp_path: Path, content: bytes) -> None:
    """Something else under the name of a journal is refused with its line."""
    path = tmp_path / "1.journal"
    path.write_bytes(content)
    with pytest.raises(CassetteError, match=r"1\.journal:1: is no journal of this version"):
        read_journal(path)


def test_a_journal_that_never_began_holds_nothing(tmp_path: Path) -> None:
    """A process that died before the first byte leaves nothing to recover, and nothing broken."""
    (tmp_path / "1.journal").touch()
    left = read_journal(tmp_path / "1.journal")
    assert left is not None
    assert left.exchanges == ()


def test_no_place_for_a_journal_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """Where no journal can be begun its name is told, as an error of the disk."""
    (tmp_path / "case").touch()
    with pytest.raises(
        UnwritableError, match=r"case/1\.journal:1: the journal can't be written: .*; nothing is recorded"
    ):
        Journal(tmp_path / "case" / "1.journal").begin()


def test_a_full_disk_leaves_no_empty_journal(tmp_path: Path) -> None:
    """Where there is no room for the first byte, the disk's error is told, and nothing is left to recover."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(UnwritableError, match=r"1\.journal:1: the journal can't be written: File too large"):
            Journal(tmp_path / "1.journal").begin()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_tears_no_entry(tmp_path: Path) -> None:
    """An exchange that found no room is reported, and one for which there is room again is kept behind the last."""
    path = tmp_path / "1.journal"
    journal = Journal(path, METADATA)
    journal.begin(EXCHANGES[:1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, limits[1]))
    try:
        journal.add(EXCHANGES[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert journal.failure == f"{path}: File too large"
    journal.add(EXCHANGES[2])
    journal.release()
    left = read_journal(path)
    assert left is not None
    assert left.exchanges == (EXCHANGES[0], EXCHANGES[2])
