"""Joins the stages: scenario files in, results and reports out. The faces call nothing below it."""

from __future__ import annotations

from harness.pipeline.gathering import gather_cases, open_project
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.results import compare_with_baseline, exit_code, write_report
from harness.pipeline.running import run_case, run_cases

__all__ = [
    "Mode",
    "Plan",
    "compare_with_baseline",
    "exit_code",
    "gather_cases",
    "open_project",
    "run_case",
    "run_cases",
    "write_report",
]
