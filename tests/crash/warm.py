"""A process that has everything imported, and forks one for each command: one that may be killed on its way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Ended", "Warm", "warm"]

ROOT = Path(__file__).parents[2]
_TOUCHING = ("open", "write", "fsync", "replace", "unlink", "rmdir", "mkdir", "chmod", "ftruncate", "lseek", "close")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    """Its exit code; -9 or -14 where it was killed."""
    touched: int
    """How many instants it came by, where it was not killed."""
    text: str
    """All that it printed."""


class Warm:
    """Runs commands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, folder: Path, *arguments: str, at: int | None = None, after: float | None = None, **environ: str
    ) -> Ended:
        """One ``harness`` command in a folder; killed at that instant, or after that many seconds, if it lives so long.

        Instants are before and after each call into the system that may touch the disk.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"folder": str(folder), "arguments": arguments, "at": at, "after": after, "environ": environ}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


@contextlib.contextmanager
def warm() -> Iterator[Warm]:
    """The process, until the block ends."""
    command = [sys.executable, "-c", "from tests.crash.warm import serve; serve()"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Warm(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)


def serve() -> None:
    """Carry out orders from standard input until it ends."""
    import openai.resources.chat  # noqa: F401

    import harness.cassettes
    import harness.commands.running
    import harness.pipeline
    import harness.providers
    import harness.reporting  # noqa: F401

    for line in sys.stdin:
        sys.stdout.write(json.dumps(_carry_out(json.loads(line))) + "\n")
        sys.stdout.flush()


def _carry_out(order: Mapping[str, Any]) -> dict[str, object]:
    reading, writing = os.pipe()
    handle, name = tempfile.mkstemp()
    os.close(handle)
    printed = Path(name)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _become(order, printed, writing)
        finally:
            os._exit(code)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        touched = int(stream.read() or 0)
    text = printed.read_text(encoding="utf-8")
    printed.unlink()
    return {"code": os.waitstatus_to_exitcode(status), "touched": touched, "text": text}


def _become(order: Mapping[str, Any], printed: Path, report: int) -> int:
    from harness.cli import main

    out = os.open(printed, os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(order["folder"])
    os.environ.update(order["environ"])
    sys.path.insert(0, "")
    sys.argv[1:] = order["arguments"]
    count = _kill_at(order["at"])
    if order["after"] is not None:
        signal.setitimer(signal.ITIMER_REAL, order["after"])  # nobody handles it: the kernel ends the process
    code = main(order["arguments"])
    signal.setitimer(signal.ITIMER_REAL, 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(report, str(count()).encode())
    return code


def _kill_at(instant: int | None) -> Callable[[], int]:
    """Die at the instant of that number; how many have passed."""
    passed = 0

    def pass_by() -> None:
        nonlocal passed
        if passed == instant:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            pass_by()
            result = function(*arguments, **keywords)
            pass_by()
            return result

        return call

    for name in _TOUCHING:
        setattr(os, name, watched(getattr(os, name)))
    return lambda: passed
