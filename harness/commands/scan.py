"""``harness scan``: secrets in files that are committed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands.console import Commands, add_command, say
from harness.errors import ExitCode

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare it."""
    scan = add_command(commands, "scan", _scan, "look for secrets in files; a line for each, without its value")
    scan.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="default: the scenarios, cassettes and reports"
    )


def _scan(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline
    from harness.settings import find_root, load_project

    project = load_project(find_root(arguments.paths[0] if arguments.paths else Path.cwd()))
    leaks, faults = pipeline.scan(project, arguments.paths)
    for leak in leaks:
        say(f"{_shown(leak.path)}:{leak.line}: {leak.rule}")
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        return ExitCode.USAGE
    return ExitCode.FAILED if leaks else ExitCode.OK


def _shown(path: Path) -> str:
    """The path as a user would type it."""
    whole = path.resolve()
    return whole.relative_to(Path.cwd()).as_posix() if whole.is_relative_to(Path.cwd()) else str(path)
