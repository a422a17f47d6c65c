"""From a run to what a person, a shell and a CI server read."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from harness.comparing import compare
from harness.errors import BadInputError, ExitCode, Fault
from harness.loading import scenario_names
from harness.records.comparison import Change, Comparison, Results
from harness.records.run import Run, RunFacts
from harness.settings import Project
from harness.store import (
    accepted_scenarios,
    csv_text,
    json_text,
    read_baseline,
    read_facts,
    read_results,
    write_text,
    write_texts,
)

__all__ = [
    "REPORT_FILE",
    "attach",
    "check_single",
    "collect_facts",
    "compare_with_baseline",
    "exit_code",
    "render_report",
    "reopen",
    "write_report",
    "write_single",
]

REPORT_FILE = "index.html"

_FORMS = (".html", ".json", ".xml", ".md", ".csv")


def compare_with_baseline(project: Project, run: Run, *, part: bool = False) -> Results:
    """The run held against the accepted state of its scenarios.

    A run of every scenario on disk also names those that were accepted and are gone, unless it is but a part of one.
    """
    ran = {case.scenario for case in run.cases}
    whole = not part and ran >= set(scenario_names(project))
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


def write_report(out: Path, results: Results, facts: RunFacts) -> Path:
    """Write the results and every rendered form of them into a folder; the path of the HTML report.

    Everything is rendered before the first file is written.
    """
    return _write(out, {"results.json": json_text(results), "run.json": json_text(facts), **_render(results, facts)})


def render_report(out: Path, results: Results, facts: RunFacts | None) -> Path:
    """Write only what is rendered from results that exist; the path of the HTML report."""
    return _write(out, _render(results, facts))


def check_single(file: Path) -> None:
    """Raise :class:`BadInputError` where a file's suffix names no form that results can be written in."""
    if file.suffix not in _FORMS:
        what = f"no form is named {file.suffix!r}; use one of {', '.join(_FORMS)}"
        raise BadInputError([Fault(str(file), 0, 0, what)])


def write_single(file: Path, results: Results, facts: RunFacts) -> None:
    """Write the one form that the file's suffix names."""
    write_text(file, _in_form(file.suffix, results, facts))


def reopen(file: Path, baseline: Path | None) -> tuple[Results, RunFacts | None]:
    """Results from disk with the wall facts beside them; with ``baseline``, compared with those results instead."""
    results = read_results(file)
    if baseline is not None:
        results = attach(results, compare(results, read_results(baseline), whole=True))
    facts = file.with_name("run.json")
    return results, read_facts(facts) if facts.is_file() else None


def _render(results: Results, facts: RunFacts | None) -> dict[str, str]:
    return {name: _in_form(Path(name).suffix, results, facts) for name in ("junit.xml", "summary.md", REPORT_FILE)}


def _in_form(suffix: str, results: Results, facts: RunFacts | None) -> str:
    from harness.reporting import render_html, render_junit, render_markdown  # late: the first result comes before it

    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: render_html(results, facts),
        ".json": lambda: json_text(results),
        ".xml": lambda: render_junit(results),
        ".md": lambda: render_markdown(results),
        ".csv": lambda: csv_text(results),
    }
    return forms[suffix]()


def _write(out: Path, texts: dict[str, str]) -> Path:
    write_texts({out / name: text for name, text in texts.items()})
    return out / REPORT_FILE
