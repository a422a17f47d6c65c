"""Real traffic that other projects published: each file loads, survives and replays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cassettes import ReplaySession, intercepted, load_cassette, routed, save_cassette
from harness.seams import RecordedClock
from tests.cassettes.speaking import expected, spoken

SHARED = Path(__file__).parents[3] / "shared" / "recordings"
INDEX = json.loads((SHARED / "index.json").read_text(encoding="utf-8")) if SHARED.is_dir() else []

pytestmark = pytest.mark.skipif(not INDEX, reason="the shared recordings are not here")
each_file = pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["file"][10:]) for entry in INDEX])


@each_file
def test_it_loads_and_survives_in_our_layout(entry: dict[str, Any], tmp_path: Path) -> None:
    """Every exchange that the index counts is there, decoded, and the same after a save in our form."""
    loaded = load_cassette(SHARED / entry["file"])
    assert len(loaded.exchanges) == entry["interactions"]
    assert sorted({exchange.response.status for exchange in loaded.exchanges}) == entry["status_codes"]
    assert not any(exchange.response.body.startswith(b"\x1f\x8b") for exchange in loaded.exchanges)
    save_cassette(tmp_path / "c.yaml", loaded)
    for ours, theirs in zip(load_cassette(tmp_path / "c.yaml").exchanges, loaded.exchanges, strict=True):
        assert ours.request.body == theirs.request.body
        assert ours.response.body == theirs.response.body


@each_file
def test_it_replays_through_the_sdk_of_its_provider(entry: dict[str, Any]) -> None:
    """In the recorded order all comes back whole: replies, events to the last one, errors as the SDK's own."""
    cassette = load_cassette(SHARED / entry["file"])
    session = ReplaySession(cassette, clock=RecordedClock())
    with intercepted(), routed(session):
        heard = [spoken(exchange.request) for exchange in cassette.exchanges]
    assert heard == [expected(exchange) for exchange in cassette.exchanges]
    assert session.unplayed == ()
