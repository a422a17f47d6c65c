"""The ``harness`` command: parse, call the pipeline, print; errors become text and an exit code."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from harness.pipeline import Mode
    from harness.records.comparison import Results
    from harness.records.run import Run, RunFacts
    from harness.settings import Project

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code is :class:`harness.errors.ExitCode`."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], ExitCode] = arguments.command
    try:
        code = command(arguments)
        _say("", end="", flush=True)
        return code
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{where}{error.strerror or error}; check the path, its permissions and the disk", file=sys.stderr)
        return ExitCode.ERRORED
    except KeyboardInterrupt:
        print("interrupted; what was not finished was not written", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BaseException:  # noqa: BLE001 - the last resort: Python's own code, 1 or an agent's, would pass for a verdict
        traceback.print_exc()
        print("this is a bug of harness, and says nothing about your agent; please report it", file=sys.stderr)
        return ExitCode.ERRORED


def _say(text: object, *, end: str = "\n", flush: bool = False) -> None:
    """Print. Where the reader has gone (``| head``), go on without one: the exit code still tells the verdict."""
    try:
        print(text, end=end, flush=flush)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description="Did this change make our agent worse?")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = _command(commands, "run", _run, "replay the scenarios, compare with the baseline, write the report")
    _add_selection(run)
    run.add_argument("--mode", choices=("replay", "extend", "live"), default="replay", help="default: replay")
    _add_concurrency(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="where the report goes; default: reports/latest")
    run.add_argument("-o", dest="single", type=Path, metavar="FILE", help="also one FILE.{html,json,xml,md,csv}")
    loudness = run.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="only the report's path")
    loudness.add_argument("-v", "--verbose", action="store_true", help="a line for every case")

    record = _command(commands, "record", _record, "run the agents live and keep the traffic as cassettes")
    _add_selection(record)
    _add_concurrency(record)
    record.add_argument("--judges", action="store_true", help="replay the agents and ask only the judges anew")

    report = _command(commands, "report", _report, "render results again without running")
    report.add_argument("results", type=Path, metavar="RESULTS.json")
    report.add_argument("--baseline", type=Path, metavar="RESULTS.json", help="compare with these instead")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: the folder of the results")

    compare = _command(commands, "compare", _compare, "hold results B against results A")
    compare.add_argument("a", type=Path, metavar="A")
    compare.add_argument("b", type=Path, metavar="B")

    accept = _command(commands, "accept", _accept, "make a run the accepted state, after showing what changes")
    accept.add_argument(
        "names", nargs="*", metavar="RUN.json | SCENARIO", help="default: all of reports/latest/results.json"
    )
    accept.add_argument("--yes", action="store_true", help="don't ask")

    show = _command(commands, "show", _show, "read a cassette or results as a conversation")
    show.add_argument("file", type=Path, metavar="FILE")

    _command(commands, "schema", _schema, "print the JSON Schema of scenario files")

    provider = _command(commands, "provider", _provider, "serve a simulated provider from scripts")
    provider.add_argument("--script", type=Path, action="append", required=True, metavar="F", help="a script or folder")
    provider.add_argument("--port", type=int, required=True, metavar="N", help="0 takes a free one")
    provider.add_argument("--seed", type=int, default=0, metavar="S", help="draws among a script's variants")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], ExitCode],
    help_: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.set_defaults(command=function)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="scenario files or folders; default: all")
    parser.add_argument("-k", dest="keyword", metavar="EXPR", help="only cases whose name fits, as in pytest")
    parser.add_argument("-m", "--filter-tag", dest="tag", metavar="TAG", help="only cases with such tags, as in pytest")


def _add_concurrency(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--concurrency", type=_positive, metavar="N", help="cases under way at once")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _run(arguments: argparse.Namespace) -> ExitCode:
    if arguments.mode == "extend":
        print("--mode extend is not built yet; use `harness record` and then `harness run`", file=sys.stderr)
        return ExitCode.USAGE
    from harness import pipeline

    if arguments.single:
        pipeline.check_single(arguments.single)
    mode = pipeline.Mode(arguments.mode)
    project, run, facts = _take(arguments, mode, concurrency=1 if mode is pipeline.Mode.REPLAY else 8)
    results = pipeline.compare_with_baseline(project, run)
    report = pipeline.write_report(arguments.out or project.reports / "latest", results, facts)
    if arguments.single:
        pipeline.write_single(arguments.single, results, facts)
    if not arguments.quiet:
        _print_results(results, verbose=arguments.verbose)
    _say(report)
    return pipeline.exit_code(results)


def _log(*, verbose: bool) -> None:
    """Show our log lines on request only: what they tell is in the report as well."""
    ours = logging.getLogger("harness")
    if verbose:
        ours.setLevel(logging.INFO)
        ours.addHandler(logging.StreamHandler())
    else:
        ours.addHandler(logging.NullHandler())


def _take(arguments: argparse.Namespace, mode: Mode, concurrency: int) -> tuple[Project, Run, RunFacts]:
    """Select the cases and run them."""
    _log(verbose=getattr(arguments, "verbose", False))
    from harness import pipeline
    from harness.settings import placehold_keys

    if mode is pipeline.Mode.REPLAY:
        placehold_keys()
    project = pipeline.open_project(arguments.paths)
    cases = pipeline.gather_cases(project, arguments.paths, keyword=arguments.keyword, tag=arguments.tag)
    concurrency = arguments.concurrency or concurrency
    started, began = datetime.now(UTC), time.perf_counter()
    progress = _Progress(len(cases))
    plan = pipeline.Plan(project, mode=mode, concurrency=concurrency, listen=progress.hear)
    try:
        run = pipeline.run_cases(plan, cases)
    finally:
        progress.clear()
    facts = pipeline.collect_facts(
        argv=sys.argv[1:],
        mode=mode,
        concurrency=concurrency,
        started_at=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
    )
    return project, run, facts


def _record(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline
    from harness.records.outcome import Outcome
    from harness.reporting import render_recorded

    mode = pipeline.Mode.REJUDGE if arguments.judges else pipeline.Mode.RECORD
    _project, run, _facts = _take(arguments, mode, concurrency=4)
    for line in render_recorded(run):
        _say(line)
    if any(case.outcome is Outcome.ERRORED for case in run.cases):
        return ExitCode.ERRORED
    _say("compare with the accepted state: harness run")
    return ExitCode.OK


def _report(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    results, facts = pipeline.reopen(arguments.results, arguments.baseline)
    _say(pipeline.render_report(arguments.out or arguments.results.parent, results, facts))
    return ExitCode.OK


def _compare(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    results, _facts = pipeline.reopen(arguments.b, arguments.a)
    _print_results(results)
    return pipeline.exit_code(results)


def _accept(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    names = list(arguments.names)
    given = Path(names.pop(0)) if names and names[0].endswith(".json") else None
    project = pipeline.open_project([given.parent] if given else [])
    proposal = pipeline.propose(project, given or project.reports / "latest" / "results.json", names)
    _print_results(proposal, verbose=True)
    if not arguments.yes and not _confirmed(f"accept {len(proposal.cases)} cases?"):
        print("nothing was accepted", file=sys.stderr)
        return ExitCode.USAGE
    for file in pipeline.accept(project, proposal):
        _say(file)
    return ExitCode.OK


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        print(f"{question} say so with --yes, because there is no terminal to ask on", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _show(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    project = pipeline.open_project([arguments.file.parent])
    _say("\n\n".join(pipeline.show_file(project, arguments.file)))
    return ExitCode.OK


def _schema(_arguments: argparse.Namespace) -> ExitCode:
    from harness.loading import scenario_schema

    _say(json.dumps(scenario_schema(), indent=2, ensure_ascii=False))
    return ExitCode.OK


def _provider(arguments: argparse.Namespace) -> ExitCode:
    import asyncio

    from harness.providers.simulated import serve

    def announce(url: str) -> None:
        _say(f"simulated provider on {url}\n")
        _say(f"OPENAI_BASE_URL={url}/v1 ANTHROPIC_BASE_URL={url}", flush=True)

    asyncio.run(serve(arguments.script, port=arguments.port, seed=arguments.seed, on_ready=announce))
    return ExitCode.OK


def _print_results(results: Results, *, verbose: bool = False) -> None:
    from harness.reporting import Style, render_lines

    colours = {Style.GOOD: 32, Style.BAD: 31, Style.WARN: 33, Style.MUTED: 2, Style.NAME: 1, Style.COMMAND: 36}
    coloured = _coloured()
    for line in render_lines(results, verbose=verbose):
        pieces = (
            f"\x1b[{colours[style]}m{text}\x1b[0m" if coloured and style in colours else text for style, text in line
        )
        _say("".join(pieces))


def _coloured() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


class _Progress:
    """One line on a terminal that says how far the run is; nothing where the output is piped."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._live = sys.stderr.isatty()

    def hear(self, part: Run) -> None:
        self._done += 1
        if self._live:
            case = part.cases[0]
            line = f"{self._done}/{self._total} {case.scenario} {case.outcome}"
            # a line that wraps could not be taken back
            sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
