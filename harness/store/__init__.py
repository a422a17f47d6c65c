"""Where results, baselines and recordings lie on disk, and how they get there whole."""

from __future__ import annotations

from harness.store.files import (
    accepted_scenarios,
    baseline_file,
    cassette_file,
    drop_file,
    merge_baselines,
    read_baseline,
    read_facts,
    read_results,
    surplus_cassettes,
    write_text,
    write_texts,
)
from harness.store.forms import csv_text, json_text
from harness.store.recordings import (
    accepted_place,
    pending_file,
    pending_place,
    pending_recordings,
    recorded_trials,
)
from harness.store.transaction import check_finished, commit, finish

__all__ = [
    "accepted_place",
    "accepted_scenarios",
    "baseline_file",
    "cassette_file",
    "check_finished",
    "commit",
    "csv_text",
    "drop_file",
    "finish",
    "json_text",
    "merge_baselines",
    "pending_file",
    "pending_place",
    "pending_recordings",
    "read_baseline",
    "read_facts",
    "read_results",
    "recorded_trials",
    "surplus_cassettes",
    "write_text",
    "write_texts",
]
