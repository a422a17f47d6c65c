"""Scenario files and conftests: from disk to records, with every fault of every file at once."""

from __future__ import annotations

from harness.loading.conftests import load_conftests
from harness.loading.files import is_scenario_file, scenario_names
from harness.loading.references import check_references
from harness.loading.scenarios import load_scenario, load_scenarios
from harness.loading.schema import scenario_schema
from harness.loading.selection import select
from harness.loading.texts import digest, read_rubric, text_digests

__all__ = [
    "check_references",
    "digest",
    "is_scenario_file",
    "load_conftests",
    "load_scenario",
    "load_scenarios",
    "read_rubric",
    "scenario_names",
    "scenario_schema",
    "select",
    "text_digests",
]
