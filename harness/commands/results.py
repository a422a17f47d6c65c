"""The commands that read or write results: report, compare, accept, show."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands.console import Commands, add_command, is_confirmed, print_results, say
from harness.errors import ExitCode

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare them."""
    report = add_command(commands, "report", _report, "render results again without running")
    report.add_argument("results", type=Path, metavar="RESULTS.json")
    report.add_argument("--baseline", type=Path, metavar="RESULTS.json", help="compare with these instead")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: the folder of the results")

    compare = add_command(commands, "compare", _compare, "hold results B against results A")
    compare.add_argument("a", type=Path, metavar="A")
    compare.add_argument("b", type=Path, metavar="B")

    accept = add_command(commands, "accept", _accept, "make a run the accepted state, after showing what changes")
    accept.add_argument(
        "names", nargs="*", metavar="RUN.json | SCENARIO", help="default: all of reports/latest/results.json"
    )
    accept.add_argument("--yes", action="store_true", help="don't ask")

    reject = add_command(commands, "reject", _reject, "drop recordings that wait to be accepted")
    reject.add_argument("names", nargs="*", metavar="SCENARIO", help="default: all")
    reject.add_argument("--yes", action="store_true", help="don't ask")

    show = add_command(commands, "show", _show, "read a cassette or results as a conversation")
    show.add_argument("file", type=Path, metavar="FILE")


def _report(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    results, facts = pipeline.reopen(arguments.results, arguments.baseline)
    say(pipeline.render_report(arguments.out or arguments.results.parent, results, facts))
    return ExitCode.OK


def _compare(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    results, _facts = pipeline.reopen(arguments.b, arguments.a)
    print_results(results)
    return pipeline.exit_code(results)


def _accept(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    names = list(arguments.names)
    given = Path(names.pop(0)) if names and names[0].endswith(".json") else None
    project = pipeline.open_project([given.parent] if given else [])
    pipeline.finish(project)
    proposal = pipeline.propose(project, given or project.reports / "latest" / "results.json", names)
    print_results(proposal, verbose=True)
    if not arguments.yes and not is_confirmed(f"accept {len(proposal.cases)} cases?"):
        print("nothing was accepted", file=sys.stderr)
        return ExitCode.USAGE
    for file in pipeline.accept(project, proposal):
        say(file)
    return ExitCode.OK


def _reject(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    project = pipeline.open_project([])
    pipeline.finish(project)
    files = pipeline.waiting(project, arguments.names)
    for file in files:
        say(file)
    if not files:
        say("no recording waits to be accepted")
        return ExitCode.OK
    if not arguments.yes and not is_confirmed(f"drop {len(files)} recordings that were paid for?"):
        print("nothing was dropped", file=sys.stderr)
        return ExitCode.USAGE
    pipeline.reject(project, files)
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    project = pipeline.open_project([arguments.file.parent])
    say("\n\n".join(pipeline.show_file(project, arguments.file)))
    return ExitCode.OK
