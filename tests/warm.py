"""A process that has everything imported, and forks one for each command.

Imports are nine tenths of what a short command costs, and the same each time. What is forked is a process like any
other: with a folder, environment, streams and exit code of its own, ended as Python ends, or killed on its way.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

__all__ = ["Done", "Warm", "warm"]

_TOUCHING = ("open", "write", "fsync", "replace", "unlink", "rmdir", "mkdir", "chmod", "ftruncate", "lseek", "close")
_FIRST_USED = (
    *("openai.resources.chat.chat", "openai.resources.chat.completions.completions"),
    *("openai.resources.responses.responses", "anthropic.resources.messages.messages"),
    *("anyio._backends._asyncio", "httpcore", "httpcore2", "truststore"),
    *("_pytest.logging", "xdist.newhooks", "hypothesis.statistics"),
)
"""What the libraries themselves import only when it is used."""
_BARE = {"SSL_CERT_FILE": "", "SSL_CERT_DIR": os.devnull}
"""Each client that is made would read all certificates of the system for nothing: nobody here is asked over TLS."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    """Its exit code; -9 or -14 where it was killed."""
    out: str
    err: str
    touched: int = 0
    """How many instants it came by, where these were counted and it was not killed."""

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


class Warm:
    """Runs commands."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def run(
        self, folder: Path, *arguments: str, at: int | None = None, after: float | None = None, **environ: str
    ) -> Done:
        """One ``harness`` command in a folder; killed at that instant, or after that many seconds, if it lives so long.

        Instants are before and after each call into the system that may touch the disk.
        """
        return self._order("harness", folder, arguments, {**os.environ, **environ}, at=at, after=after, counted=True)

    def open(
        self, door: str, folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str], prelude: str = ""
    ) -> Done:
        """``harness`` or ``pytest``, with nothing in its environment but this; killed after two minutes.

        The prelude is code that changes ``sys`` before the command looks around.
        """
        return self._order(door, folder, arguments, environ, after=120, prelude=prelude)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def _order(
        self, door: str, folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str], **more: object
    ) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="warm-") as name:
            out, err = Path(name, "out"), Path(name, "err")
            order = {"at": None, "after": None, "counted": False, "prelude": "", **more}
            order |= {"door": door, "folder": str(folder), "arguments": arguments, "environ": {**environ, **_BARE}}
            order |= {"out": str(out), "err": str(err)}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            ended = json.loads(self._process.stdout.readline())
            return Done(out=out.read_text(encoding="utf-8"), err=err.read_text(encoding="utf-8"), **ended)


@functools.cache
def warm() -> Warm:
    """The one of this process."""
    process = Warm()
    atexit.register(process.close)
    return process


def _serve() -> None:
    """Carry out orders from standard input until it ends."""
    sys.path[0] = ""
    import harness

    for module in pkgutil.walk_packages(harness.__path__, "harness."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (*_FIRST_USED, *(entry.module for entry in entry_points(group="pytest11"))):
        importlib.import_module(name)
    importlib.import_module("harness.reporting.html")._environment().get_template("report.html.j2")
    for record in _kinds(harness.records.base.Record):
        record.model_rebuild()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _become(order, writing)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as stream:
            touched = int(stream.read() or 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status), "touched": touched}) + "\n")
        sys.stdout.flush()


def _kinds(record: Any) -> Iterator[Any]:
    yield record
    for kind in record.__subclasses__():
        yield from _kinds(kind)


def _become(order: Mapping[str, Any], report: int) -> None:
    """Be the process that was ordered, and end as one."""
    for number, (file, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *((order[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name in ("out", "err"))]
    ):
        opened = os.open(file, flags)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
    sys.argv[:] = ["-c", *order["arguments"]]
    exec(order["prelude"], {"sys": sys})
    main = _pytest_door() if order["door"] == "pytest" else importlib.import_module("harness.cli").main
    count = _kill_at(order["at"]) if order["counted"] else lambda: 0
    if order["after"] is not None:
        signal.setitimer(signal.ITIMER_REAL, order["after"])  # nobody handles it: the kernel ends the process
    code = main()
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.write(report, str(count()).encode())
    # as the interpreter ends, but for taking apart all that is imported: that costs more than most commands
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _pytest_door() -> Callable[[], int]:
    import pytest
    from _pytest.assertion.rewrite import AssertionRewritingHook

    # pytest would say of each plugin that it came too late to rewrite its assertions
    AssertionRewritingHook._warn_already_imported = lambda *_: None  # type: ignore[method-assign]
    return pytest.main


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


if __name__ == "__main__":
    _serve()
