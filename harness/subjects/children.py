"""Programs that are started for a trial, and end with it: each leads a process group that is ended as a whole."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import IO, TypeVar

from harness.errors import BadInputError, Fault, SubjectError
from harness.registry import Place

__all__ = ["Child", "in_thread"]

T = TypeVar("T")

_MAX_OUTPUT = 16 * 1024 * 1024
_TAIL = 4_000
_PIECE = 65_536
_FAREWELL = 1.0
"""Seconds in which what a program left running may still close its output."""


class Child:
    """A program that runs. Its output is read as it comes, so that it never has to wait for us."""

    def __init__(
        self, argv: Sequence[str], *, folder: Path, environ: Mapping[str, str], stdin: bytes, place: Place
    ) -> None:
        """``place`` is where it is declared.

        Raises :class:`BadInputError` where there is no such program, :class:`SubjectError` for too long arguments.
        """
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what conftest.py declares is the project's own code
                argv,
                cwd=folder,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            if error.errno == errno.E2BIG:
                what = "the input is too long for an argument; leave {input} out, so that it goes to stdin"
                raise SubjectError(what) from error
            file = Path(place.file)
            shown = file.relative_to(folder) if file.is_relative_to(folder) else file
            what = f"{argv[0]!r} can't be started: {error.strerror}; name a program that is there"
            raise BadInputError([Fault(shown.as_posix(), place.line, 0, what)]) from error
        self.ended = threading.Event()
        """Set once the program has ended, and all of its group with it."""
        self._lock = threading.Lock()
        self._is_reaped = False
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin = self._process.stdin
        self._stdout = _Output(self._process.stdout, overflow=self.kill)
        self._stderr = _Output(self._process.stderr)
        for work in (self._stdout.drain, self._stderr.drain, self._await_end):
            threading.Thread(target=work, name=f"harness-{work.__name__}", daemon=True).start()
        threading.Thread(target=self._feed, args=(stdin,), name="harness-feed", daemon=True).start()
        _LIVE.add(self)

    @property
    def stdout(self) -> bytes:
        """What it printed, once it has ended."""
        return bytes(self._stdout.kept)

    @property
    def is_flooding(self) -> bool:
        """Whether it printed more than an answer can be, and was killed for that."""
        return self._stdout.is_full

    @property
    def last_words(self) -> str:
        """The last lines of its stderr, or else of its stdout; empty where it printed nothing."""
        text = bytes(self._stderr.tail or self._stdout.tail).decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-20:])

    def describe_end(self) -> str:
        """How it ended: with which exit code, or by which signal."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than with exit code 0."""
        return self._process.returncode != 0

    def terminate(self) -> None:
        """Ask it and its group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its group at once; nothing where it has ended."""
        self._signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if not self._is_reaped:
                self._signal_group(number)

    def _signal_group(self, number: signal.Signals) -> None:
        if sys.platform == "win32":
            self._process.terminate()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: it is a zombie already
                os.killpg(self._process.pid, number)

    def _await_end(self) -> None:
        if hasattr(os, "waitid"):  # so that its number is not given to another one before its group is ended
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        with self._lock:
            if sys.platform != "win32":
                self._signal_group(signal.SIGKILL)
            self._process.wait()
            self._is_reaped = True
        for output in (self._stdout, self._stderr):
            output.ended.wait(_FAREWELL)  # whoever left the group may hold it open for ever
        self.ended.set()

    def _feed(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # it need not read what it is told
            self._stdin.write(data)
        with contextlib.suppress(OSError):
            self._stdin.close()


class _Output:
    """What comes out of a pipe: its beginning, up to a bound, and its end."""

    def __init__(self, pipe: IO[bytes], overflow: Callable[[], None] | None = None) -> None:
        self._pipe = pipe
        self._overflow = overflow
        self.kept = bytearray()
        self.tail = bytearray()
        self.is_full = False
        self.ended = threading.Event()

    def drain(self) -> None:
        with self._pipe:
            while piece := os.read(self._pipe.fileno(), _PIECE):
                self.tail = (self.tail + piece)[-_TAIL:]
                if self._overflow is not None and not self.is_full:
                    self.kept += piece
                    if len(self.kept) > _MAX_OUTPUT:
                        self.is_full = True
                        self._overflow()
        self.ended.set()


_LIVE: weakref.WeakSet[Child] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """However the process ends that can still do something: nothing that it started goes on."""
    for child in list(_LIVE):
        child.kill()


async def in_thread(function: Callable[[], T]) -> T:
    """Run it in a thread of its own, in the caller's context.

    The loop's own pool has a few threads only, and these wait for other processes.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="harness-subject")
    try:
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(executor, lambda: context.run(function))
    finally:
        executor.shutdown(wait=False)
