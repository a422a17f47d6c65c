"""Real traffic that other projects published: each file loads, and survives in our layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cassettes import load_cassette, save_cassette

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
