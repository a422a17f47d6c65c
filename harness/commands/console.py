"""What commands share: how they are declared, and how they speak."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.records.comparison import Results
    from harness.records.run import Run
    from harness.reporting import Line

__all__ = [
    "Commands",
    "Progress",
    "add_command",
    "add_selection",
    "is_confirmed",
    "positive",
    "print_lines",
    "print_results",
    "say",
    "speak_any_text",
]

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its type no public name


def add_command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], ExitCode],
    help_: str,
) -> argparse.ArgumentParser:
    """A command that is carried out by the function."""
    parser = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.set_defaults(command=function)
    return parser


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The ways to say which cases are meant."""
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="scenario files or folders; default: all")
    parser.add_argument("-k", dest="keyword", metavar="EXPR", help="only cases whose name fits, as in pytest")
    parser.add_argument("-m", "--filter-tag", dest="tag", metavar="TAG", help="only cases with such tags, as in pytest")


def positive(text: str) -> int:
    """An argument that is a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def speak_any_text() -> None:
    """Print what the streams' coding has no character for as an escape: a pipe on Windows knows no arrow."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: object, *, end: str = "\n", flush: bool = False) -> None:
    """Print. Where the reader has gone (``| head``), go on without one: the exit code still tells the verdict."""
    try:
        print(text, end=end, flush=flush)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_confirmed(question: str) -> bool:
    """Ask on the terminal; where there is none, the answer is no, and ``--yes`` is named."""
    if not sys.stdin.isatty():
        print(f"{question} say so with --yes, because there is no terminal to ask on", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def print_results(results: Results, *, verbose: bool = False) -> None:
    """The verdicts, a line or more for each case that needs one."""
    from harness.reporting import render_lines

    print_lines(render_lines(results, verbose=verbose))


def print_lines(lines: Iterable[Line]) -> None:
    """Lines with their colours, where the terminal shows any."""
    from harness.reporting import Style

    colours = {Style.GOOD: 32, Style.BAD: 31, Style.WARN: 33, Style.MUTED: 2, Style.NAME: 1, Style.COMMAND: 36}
    coloured = _coloured()
    for line in lines:
        pieces = (
            f"\x1b[{colours[style]}m{text}\x1b[0m" if coloured and style in colours else text for style, text in line
        )
        say("".join(pieces))


def _coloured() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or _shows_escapes(sys.stdout)


def _shows_escapes(stream: TextIO) -> bool:
    """Whether it is a terminal that takes them: Windows has consoles that print them as they are."""
    return stream.isatty() and (sys.platform != "win32" or "WT_SESSION" in os.environ or "TERM" in os.environ)


class Progress:
    """One line on a terminal that says how far the run is; nothing where the output is piped."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._live = _shows_escapes(sys.stderr)

    def hear(self, part: Run) -> None:
        """A case has ended."""
        self._done += 1
        if self._live:
            case = part.cases[0]
            line = f"{self._done}/{self._total} {case.scenario} {case.outcome}"
            # a line that wraps could not be taken back
            sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line back."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
