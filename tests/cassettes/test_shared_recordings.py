"""Real traffic that other projects published: each file loads, replays, and survives import and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import vcr

from harness.cassettes import ReplaySession, intercepted, load_cassette, routed
from harness.cli import main
from harness.records.exchange import Cassette
from harness.seams import RecordedClock
from tests.cassettes.speaking import expected, spoken

SHARED = Path(__file__).parents[3] / "shared" / "recordings"
INDEX = json.loads((SHARED / "index.json").read_text(encoding="utf-8")) if SHARED.is_dir() else []

pytestmark = pytest.mark.skipif(not INDEX, reason="the shared recordings are not here")
each_file = pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["file"][10:]) for entry in INDEX])


@each_file
def test_it_loads(entry: dict[str, Any]) -> None:
    """Every exchange that the index counts is there, with its content decoded."""
    loaded = load_cassette(SHARED / entry["file"])
    assert len(loaded.exchanges) == entry["interactions"]
    assert sorted({exchange.response.status for exchange in loaded.exchanges}) == entry["status_codes"]
    assert not any(exchange.response.body.startswith(b"\x1f\x8b") for exchange in loaded.exchanges)


@each_file
def test_it_replays_through_the_sdk_of_its_provider(entry: dict[str, Any]) -> None:
    """In the recorded order all comes back whole: replies, events to the last one, errors as the SDK's own."""
    cassette = load_cassette(SHARED / entry["file"])
    assert replayed(cassette, cassette) == [expected(exchange) for exchange in cassette.exchanges]


@each_file
def test_it_survives_import_and_export(entry: dict[str, Any], tmp_path: Path) -> None:
    """Imported it replays in our layout; exported again, stock vcrpy replays it, matching on the body too."""
    original = load_cassette(SHARED / entry["file"])
    answers = [expected(exchange) for exchange in original.exchanges]
    assert main(["import", str(SHARED / entry["file"]), "--out", str(tmp_path / "ours")]) == 0
    (ours,) = (tmp_path / "ours").iterdir()
    assert replayed(load_cassette(ours), original) == answers
    assert main(["export", str(ours), "--out", str(tmp_path / "theirs")]) == 0
    (theirs,) = (tmp_path / "theirs").iterdir()
    with vcr.use_cassette(str(theirs), record_mode="none", match_on=["method", "uri", "body"]) as stock:
        assert [spoken(exchange.request) for exchange in original.exchanges] == answers
    assert stock.all_played


def replayed(cassette: Cassette, original: Cassette) -> list[list[Any]]:
    """What comes back for the original's requests as today's SDKs send them, in their order; nothing is left over."""
    session = ReplaySession(cassette, clock=RecordedClock())
    requests = [exchange.request for exchange in original.exchanges]
    with intercepted(), routed(session):
        heard = [spoken(each.model_copy(update={"uri": each.uri.removesuffix("?beta=true")})) for each in requests]
    assert session.unplayed == ()
    return heard
