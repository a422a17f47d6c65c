"""Joins the stages: scenario files in, results and reports out. The faces call nothing below it."""

from __future__ import annotations

from harness.cassettes import attempts, isolate
from harness.pipeline.accepting import accept, propose, reject, waiting
from harness.pipeline.drifting import find_drift
from harness.pipeline.gathering import gather_cases, go_offline, open_project, settle_trials
from harness.pipeline.leftovers import find_orphans
from harness.pipeline.moving import carry_out, plan_move
from harness.pipeline.plan import Mode, Plan
from harness.pipeline.recovering import describe_kept, interrupted, recover
from harness.pipeline.results import (
    attach,
    check_single,
    collect_facts,
    compare_with_baseline,
    exit_code,
    render_report,
    reopen,
    write_report,
    write_single,
)
from harness.pipeline.running import run_case, run_cases
from harness.pipeline.scanning import Leak, scan
from harness.pipeline.showing import show_file
from harness.store import finish

__all__ = [
    "Leak",
    "Mode",
    "Plan",
    "accept",
    "attach",
    "attempts",
    "carry_out",
    "check_single",
    "collect_facts",
    "compare_with_baseline",
    "describe_kept",
    "exit_code",
    "find_drift",
    "find_orphans",
    "finish",
    "gather_cases",
    "go_offline",
    "interrupted",
    "isolate",
    "open_project",
    "plan_move",
    "propose",
    "recover",
    "reject",
    "render_report",
    "reopen",
    "run_case",
    "run_cases",
    "scan",
    "settle_trials",
    "show_file",
    "waiting",
    "write_report",
    "write_single",
]
