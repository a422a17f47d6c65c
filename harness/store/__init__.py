"""Where results, baselines and recordings lie on disk, and how they get there whole."""

from __future__ import annotations

from harness.store.files import (
    accepted_scenarios,
    baseline_file,
    cassette_file,
    drop_file,
    read_baseline,
    read_facts,
    read_results,
    surplus_cassettes,
    write_baseline,
    write_text,
    write_texts,
)
from harness.store.forms import csv_text, json_text

__all__ = [
    "accepted_scenarios",
    "baseline_file",
    "cassette_file",
    "csv_text",
    "drop_file",
    "json_text",
    "read_baseline",
    "read_facts",
    "read_results",
    "surplus_cassettes",
    "write_baseline",
    "write_text",
    "write_texts",
]
