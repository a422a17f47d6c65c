"""``harness recover``."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.console import Commands, add_command, say
from harness.errors import ExitCode

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare it."""
    recover = add_command(commands, "recover", _recover, "finish or clean up what interrupted commands left")
    recover.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="scenarios or journals; default: all")


def _recover(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline

    lines = 0
    for line in pipeline.recover(pipeline.open_project(arguments.paths), arguments.paths):
        say(line)
        lines += 1
    if not lines:
        say("nothing was interrupted")
    return ExitCode.OK
