"""Ends a trial that yields nothing: code that spins, or blocks the thread of its loop.

A loop ends its trial itself as long as it is asked (:mod:`harness.virtual.loop`). Where it is not, a thread beside it
raises :class:`EndlessTrial` in the thread that hangs: in the main thread by a signal, since that wakes a blocked lock
as well, and else as soon as Python code runs there. What can't be ended so ends the process, with its stack.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.virtual.loop import VirtualLoop

__all__ = ["EndlessTrial", "Watch", "interrupt", "watched"]

_SIGNAL = getattr(signal, "SIGURG", None)
"""Ignored where nobody asks for it, and not the one that test timeouts use."""
_TRIES = 5
"""Times that a trial is interrupted: it may catch everything once."""
_LAST_WORDS = 5.0
"""Seconds that it has to end in each time, at most."""
_TICK = 0.5
_wall, _sleep = time.monotonic, time.sleep


class EndlessTrial(BaseException):
    """Raised in the code of a trial that does not end."""


class Watch:
    """One trial that is watched."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.says: str | None = None
        """Where the trial hung; None while it did not."""
        self._ident = threading.get_ident()
        self._tries = 0

    def look(self) -> float:
        """Interrupt the trial if it is overdue. Seconds until it is worth another look."""
        left = self.loop.deadline + _TICK - _wall()
        if left > 0:
            return min(left, _TICK)
        self.says = self.says or self.loop.explain("its code does not come back to the loop", self._ident)
        if self._tries >= _TRIES:
            self._give_up(self.says)
        self._tries += 1
        self.loop.postpone(_LAST_WORDS)  # or what ends in good order would be interrupted as well
        if self._ident == threading.main_thread().ident and _SIGNAL is not None:
            signal.pthread_kill(self._ident, _SIGNAL)
        else:
            interrupt([self._ident])
        return _TICK

    def forget(self) -> None:
        """Take back an interruption that came too late."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._ident), None)

    def _give_up(self, says: str) -> None:
        why = "It can't be ended: code outside Python does not return. The run ends here."
        print(f"{says}\n{why}", file=sys.__stderr__, flush=True)
        os._exit(ExitCode.ERRORED)


def interrupt(idents: Iterable[int]) -> None:
    """Raise :class:`EndlessTrial` in threads, each as soon as it runs Python code."""
    for ident in idents:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(EndlessTrial))


class _Watchdog:
    """The one thread that watches, started with the first trial; a forked child starts its own."""

    def __init__(self) -> None:
        self.watch: Watch | None = None
        self._changed = threading.Condition()
        self._idle = False
        self._pid: int | None = None
        self._is_listening = False

    def begin(self, watch: Watch) -> None:
        self._listen()
        self.watch = watch
        if self._pid != os.getpid():
            self._pid, self._changed, self._idle = os.getpid(), threading.Condition(), False
            threading.Thread(target=self._run, name="harness watchdog", daemon=True).start()
        elif self._idle:
            with self._changed:
                self._changed.notify()

    def end(self) -> None:
        self.watch = None

    def _listen(self) -> None:
        """Hear the signal, once for the process: to set a handler and put it back costs as much as a trial's loop."""
        if self._is_listening or _SIGNAL is None or threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(_SIGNAL)

        def hear(number: int, frame: FrameType | None) -> None:
            if self.watch is not None and self.watch.says is not None:
                raise EndlessTrial
            if callable(before):
                before(number, frame)

        signal.signal(_SIGNAL, hear)
        self._is_listening = True

    def _run(self) -> None:
        while True:
            watch = self.watch
            if watch is not None:
                _sleep(watch.look())
                continue
            with self._changed:
                self._idle = True
                if self.watch is None:
                    self._changed.wait()
                self._idle = False


_WATCHDOG = _Watchdog()


@contextmanager
def watched(loop: VirtualLoop) -> Iterator[Watch]:
    """Have what runs on the loop in this thread interrupted once the loop's deadline has passed unnoticed."""
    watch = Watch(loop)
    _WATCHDOG.begin(watch)
    try:
        yield watch
    finally:
        _WATCHDOG.end()
        if watch.says is not None:
            watch.forget()
