"""Replays in several processes at once: each is a fork of this one, which has everything imported, and takes its share.

Replay is bound by the processor, so only processes gain. A fork is safe as long as this process has one thread; that is
why nothing is replayed here.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from harness.cassettes import add_attempts, attempts
from harness.errors import BadInputError, HarnessError
from harness.records.run import Run
from harness.records.scenario import Case

__all__ = ["Lost", "replay_in_workers", "sensible_workers"]

Message = tuple[str, Any]
_LENGTH = 8
"""Bytes that say how long a message is."""


class Lost(Exception):  # noqa: N818 - a finding about one case
    """The process that replayed a case is gone."""


@dataclass(slots=True)
class _Worker:
    pid: int
    pipe: int
    cases: list[Case]
    """What it has not delivered yet, the case at work first."""
    received: bytearray = field(default_factory=bytearray)


def sensible_workers(asked: int, cases: int) -> int:
    """How many processes to replay in: no more than asked for, and than there are cases and processors.

    1 where a fork is not safe: with threads about, and elsewhere than on Linux, whose libraries have none of their own.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return max(1, min(asked, cases, len(os.sched_getaffinity(0))))


def replay_in_workers(
    cases: Sequence[Case], number: int, replay: Callable[[Case], Run]
) -> Iterator[tuple[Case, Run | Exception]]:
    """Each case and its run as it ends, or what is wrong with it; :class:`Lost` where its process was killed."""
    with selectors.DefaultSelector() as selector:
        workers = [_start(list(cases[first::number]), replay) for first in range(number)]
        try:
            for worker in workers:
                selector.register(worker.pipe, selectors.EVENT_READ, worker)
            while selector.get_map():
                for key, _ in selector.select():
                    worker = key.data
                    data = os.read(worker.pipe, 1 << 20)
                    if data:
                        worker.received += data
                        yield from _delivered(worker)
                        continue
                    selector.unregister(worker.pipe)
                    how = _bury(worker)
                    if worker.cases:
                        yield worker.cases.pop(0), Lost(f"the process that replayed this case {how}")
                    if worker.cases:
                        workers.append(_start(worker.cases, replay))
                        selector.register(workers[-1].pipe, selectors.EVENT_READ, workers[-1])
        finally:
            for worker in workers:
                if worker.pid:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)
                    _bury(worker)


def _delivered(worker: _Worker) -> Iterator[tuple[Case, Run | Exception]]:
    """What has arrived whole."""
    received = worker.received
    while len(received) >= _LENGTH:
        end = _LENGTH + int.from_bytes(received[:_LENGTH], "big")
        if len(received) < end:
            return
        (kind, value), tried = pickle.loads(received[_LENGTH:end])  # noqa: S301 - of our own fork
        del received[:end]
        add_attempts(tried)
        case = worker.cases.pop(0)
        if kind == "bug":
            raise RuntimeError(value)
        yield case, BadInputError(value) if kind == "bad input" else value


def _bury(worker: _Worker) -> str:
    """Take note of the end of a worker: how it ended."""
    os.close(worker.pipe)
    _, status = os.waitpid(worker.pid, 0)
    worker.pid = 0
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _start(cases: list[Case], replay: Callable[[Case], Run]) -> _Worker:
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(cases, replay, writing)
    os.close(writing)
    return _Worker(pid, reading, cases)


def _work(cases: Sequence[Case], replay: Callable[[Case], Run], pipe: int) -> NoReturn:
    """What a worker does. It never returns: what would run at the end of this process is the parent's to do."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # the parent says what an interruption means
    code = 1
    try:
        with open(pipe, "wb") as out:
            attempts()  # the parent tells of those until here
            for case in cases:
                message = _replay(case, replay)
                data = pickle.dumps((message, attempts()))
                out.write(len(data).to_bytes(_LENGTH, "big") + data)
                out.flush()
        code = 0
    except BrokenPipeError:
        pass  # nobody is left to hear of it
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _replay(case: Case, replay: Callable[[Case], Run]) -> Message:
    try:
        return "run", replay(case)
    except BadInputError as error:
        return "bad input", list(error.faults)
    except HarnessError as error:
        return "error", error
    except BaseException:  # noqa: BLE001 - the parent raises it
        return "bug", traceback.format_exc()
