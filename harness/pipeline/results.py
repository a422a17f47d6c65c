"""From a run to what a person, a shell and a CI server read."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from harness.comparing import compare
from harness.errors import ExitCode
from harness.loading import scenario_names
from harness.records.comparison import Change, Comparison, Results
from harness.records.run import Run, RunFacts
from harness.reporting import render_html, render_junit, render_markdown
from harness.settings import Project
from harness.store import accepted_scenarios, json_text, read_baseline, write_text

__all__ = ["REPORT_FILE", "collect_facts", "compare_with_baseline", "exit_code", "write_report"]

REPORT_FILE = "index.html"


def compare_with_baseline(project: Project, run: Run) -> Results:
    """The run held against the accepted state of its scenarios.

    A run of every scenario on disk also names those that were accepted and are gone.
    """
    ran = {case.scenario for case in run.cases}
    whole = ran >= set(scenario_names(project))
    baseline = read_baseline(project, [*ran, *accepted_scenarios(project)] if whole else ran)
    return attach(run, compare(run, baseline, whole=whole))


def attach(run: Run, comparison: Comparison) -> Results:
    """The run and its comparison as one record."""
    return Results(cases=run.cases, trials=run.trials, comparison=comparison)


def exit_code(results: Results) -> ExitCode:
    """What the run and its comparison come to for the shell."""
    codes = [case.outcome.exit_code for case in results.cases]
    if any(case.change is Change.REGRESSED for case in results.comparison.cases):
        codes.append(ExitCode.FAILED)
    return ExitCode.worst(codes)


def collect_facts(*, argv: Sequence[str], mode: str, concurrency: int, started_at: str, seconds: float) -> RunFacts:
    """The wall facts of this invocation."""
    return RunFacts(
        harness_version=version("agent-regression-harness"),
        python_version=platform.python_version(),
        platform=sys.platform,
        host=socket.gethostname(),
        argv=tuple(argv),
        mode=mode,
        concurrency=concurrency,
        started_at=started_at,
        seconds=round(seconds, 3),
    )


def write_report(out: Path, results: Results, facts: RunFacts | None) -> Path:
    """Write every form of the results into a folder; the path of the HTML report.

    Everything is rendered before the first file is written.
    """
    texts = {
        "results.json": json_text(results),
        "junit.xml": render_junit(results),
        "summary.md": render_markdown(results),
        REPORT_FILE: render_html(results, facts),
    }
    if facts is not None:
        texts["run.json"] = json_text(facts)
    for name, text in texts.items():
        write_text(out / name, text)
    return out / REPORT_FILE
