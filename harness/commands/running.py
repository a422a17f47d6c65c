"""``harness run`` and ``harness record``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.console import (
    Commands,
    Progress,
    add_command,
    add_selection,
    positive,
    print_lines,
    print_results,
    say,
)
from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.pipeline import Mode, Plan
    from harness.records.run import Run, RunFacts
    from harness.records.scenario import Case
    from harness.settings import Project

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare them."""
    run = add_command(commands, "run", _run, "replay the scenarios, compare with the baseline, write the report")
    add_selection(run)
    run.add_argument("--isolated", action="store_true", help="replay in a network of its own (Linux)")
    run.add_argument("--mode", choices=("replay", "extend", "live"), default="replay", help="default: replay")
    run.add_argument("--pace", choices=("fast", "real"), default="fast", help="real: recorded times elapse on the wall")
    _add_extent(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="where the report goes; default: reports/latest")
    run.add_argument("-o", dest="single", type=Path, metavar="FILE", help="also one FILE.{html,json,xml,md,csv}")
    loudness = run.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="only the report's path")
    loudness.add_argument("-v", "--verbose", action="store_true", help="a line for every case")

    record = add_command(commands, "record", _record, "run the agents live and keep the traffic as cassettes")
    add_selection(record)
    _add_extent(record)
    record.add_argument("--judges", action="store_true", help="replay the agents and ask only the judges anew")


_AT_ONCE = "cases at once: as many requests to a provider, or replaying processes (on Linux, one for each processor)"


def _add_extent(parser: argparse.ArgumentParser) -> None:
    """How much is run, and how much at once."""
    parser.add_argument("-j", "--concurrency", type=positive, metavar="N", help=_AT_ONCE)
    parser.add_argument("--trials", type=positive, metavar="K", help="of each case whose scenario does not say itself")


def _run(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    if arguments.single:
        pipeline.check_single(arguments.single)
    mode = pipeline.Mode(arguments.mode)
    if arguments.pace == "real" and mode is not pipeline.Mode.REPLAY:
        print(f"--pace real is for replays; --mode {mode} takes the time that it takes", file=sys.stderr)
        return ExitCode.USAGE
    if arguments.isolated:
        if mode is not pipeline.Mode.REPLAY:
            print(f"--isolated is for replays; --mode {mode} needs the network", file=sys.stderr)
            return ExitCode.USAGE
        pipeline.isolate()
        say("isolated: nothing but this process can be reached")
    project, run, facts = _take(arguments, mode, concurrency=1 if mode is pipeline.Mode.REPLAY else 8)
    results = pipeline.compare_with_baseline(project, run)
    report = pipeline.write_report(arguments.out or project.reports / "latest", results, facts)
    if arguments.single:
        pipeline.write_single(arguments.single, results, facts)
    if not arguments.quiet:
        from harness.reporting import render_leftovers

        print_results(results, verbose=arguments.verbose)
        print_lines(render_leftovers(pipeline.find_orphans(project, run)))
        waiting = len(pipeline.waiting(project, ()))
        if waiting:
            again = "" if mode is pipeline.Mode.EXTEND else "harness run --mode extend && "
            say(f"{waiting} pending: {again}harness accept, or harness reject")
        interrupted = len(pipeline.interrupted(project))
        if interrupted:
            say(f"{interrupted} interrupted recording{'s' if interrupted > 1 else ''}: harness recover")
    say(report)
    return pipeline.exit_code(results)


class _Once(logging.Filter):
    """Lets each line through once: a secret in a system prompt is masked in every request."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        is_new = said not in self._said
        self._said.add(said)
        return is_new


def _log(*, verbose: bool) -> None:
    """Show our log lines on request only: what they tell is in the report as well."""
    ours = logging.getLogger("harness")
    if verbose:
        ours.setLevel(logging.INFO)
        ours.addHandler(logging.StreamHandler())
    else:
        ours.addHandler(logging.NullHandler())
        masked = logging.StreamHandler()
        masked.addFilter(_Once())
        for unreported in ("cleaning", "silence"):  # what was masked, and what was not sent, is in no report
            logging.getLogger(f"harness.cassettes.{unreported}").handlers = [masked]


def _take(arguments: argparse.Namespace, mode: Mode, concurrency: int) -> tuple[Project, Run, RunFacts]:
    """Select the cases and run them."""
    _log(verbose=getattr(arguments, "verbose", False))
    from harness import pipeline
    from harness.settings import placehold_keys

    project = pipeline.open_project(arguments.paths)
    replays = mode is pipeline.Mode.REPLAY
    if replays:
        placehold_keys()
    started, began = datetime.now(UTC), time.perf_counter()
    concurrency = arguments.concurrency or concurrency
    with pipeline.go_offline(project) if replays else nullcontext():
        cases = pipeline.gather_cases(
            project, arguments.paths, keyword=arguments.keyword, tag=arguments.tag, trials=arguments.trials
        )
        real = getattr(arguments, "pace", "fast") == "real"
        run = _run_cases(pipeline.Plan(project, mode=mode, concurrency=concurrency, in_real_time=real), cases)
    for attempt in pipeline.attempts():
        print(f"refused: {attempt}", file=sys.stderr)
    facts = pipeline.collect_facts(
        argv=sys.argv[1:],
        mode=mode,
        concurrency=concurrency,
        started_at=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
    )
    return project, run, facts


def _run_cases(plan: Plan, cases: Sequence[Case]) -> Run:
    """Run them with a line that says how far it is; where that is interrupted, say what is kept."""
    from harness import pipeline

    progress = Progress(len(cases))
    try:
        with _terminated_as_interrupted():
            return pipeline.run_cases(replace(plan, listen=progress.hear), cases)
    except KeyboardInterrupt:
        kept = pipeline.describe_kept(plan.project, cases)
        if kept is not None:
            print(kept, file=sys.stderr)
        raise
    finally:
        progress.clear()


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM do what Control-C does."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _record(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline
    from harness.records.outcome import Outcome
    from harness.reporting import render_recorded

    mode = pipeline.Mode.REJUDGE if arguments.judges else pipeline.Mode.RECORD
    _project, run, _facts = _take(arguments, mode, concurrency=4)
    for line in render_recorded(run):
        say(line)
    if any(case.outcome is Outcome.ERRORED for case in run.cases):
        return ExitCode.ERRORED
    say("compare with the accepted state: harness run")
    return ExitCode.OK
