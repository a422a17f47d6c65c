"""The commands that exchange cassettes with other tools: import, export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.console import Commands, add_command, say
from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.pipeline.interchange import Transfer

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare them."""
    for name, function, what in (
        ("import", _import, "take in cassettes of vcrpy, pytest-recording and others"),
        ("export", _export, "write cassettes that stock vcrpy replays"),
    ):
        command = add_command(commands, name, function, what)
        command.add_argument("paths", nargs="+", type=Path, metavar="FILES_OR_DIRS")
        command.add_argument("--out", type=Path, required=True, metavar="DIR", help="files keep their places below it")


def _import(arguments: argparse.Namespace) -> ExitCode:
    from harness.pipeline.interchange import import_cassettes

    return _tell(import_cassettes(arguments.paths, arguments.out))


def _export(arguments: argparse.Namespace) -> ExitCode:
    from harness.pipeline.interchange import export_cassettes

    return _tell(export_cassettes(arguments.paths, arguments.out))


def _tell(transfers: tuple[Transfer, ...]) -> ExitCode:
    for each in transfers:
        count = f"{each.exchanges} {'exchange' if each.exchanges == 1 else 'exchanges'}"
        say(f"{each.target}  {count}{'' if each.changed else ', unchanged'}")
    return ExitCode.OK
