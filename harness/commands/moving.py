"""``harness mv``: another name for a scenario, with all that was recorded for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.console import Commands, add_command, say
from harness.errors import ExitCode

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare it."""
    move = add_command(commands, "mv", _move, "rename a scenario, or a folder of them, with its cassettes and baseline")
    move.add_argument("old", metavar="OLD", help="the scenario's name, or the path of its file")
    move.add_argument("new", metavar="NEW")


def _move(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    project = pipeline.open_project([])
    pipeline.finish(project)
    move = pipeline.plan_move(project, arguments.old, arguments.new)
    for old, new in (*move.renames, *move.gone):
        say(f"{_shown(old, project.root)} → {_shown(new, project.root)}")
    pipeline.carry_out(project, move)
    return ExitCode.OK


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
