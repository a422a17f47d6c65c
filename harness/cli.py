"""The ``harness`` command: parse, carry out, and turn errors into text and an exit code."""

from __future__ import annotations

import argparse
import gc
import sys
import traceback
from collections.abc import Callable, Sequence

from harness.commands import authoring, drift, interchange, moving, recovering, results, running, scan
from harness.commands.console import say, speak_any_text
from harness.errors import ExitCode, HarnessError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code is :class:`harness.errors.ExitCode`."""
    speak_any_text()
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], ExitCode] = arguments.command
    try:
        code = command(arguments)
        say("", end="", flush=True)
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
    finally:
        gc.freeze()  # or the process, as it ends, looks once more through all that was imported: a tenth of its time


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description="Did this change make our agent worse?")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (running, drift, results, moving, interchange, scan, recovering, authoring):
        module.add(commands)
    return parser
