"""Processes that are killed at a chosen instant: before or after the n-th call that may touch the disk."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["killed_at"]

_TOUCHING = {
    *("open", "write", "writelines", "flush", "close", "fsync", "truncate", "ftruncate"),
    *("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "chmod", "flock"),
}


def killed_at(count: int, action: Callable[[], object]) -> bool:
    """Do something in a process of its own and kill that at the count-th instant; whether it came so far.

    Instants are before and after each call into C that may touch the disk. Fails where the action does.
    """
    child = os.fork()
    if child == 0:
        left = count

        def watch(_frame: FrameType, event: str, function: object) -> None:
            nonlocal left
            if event in ("c_call", "c_return") and getattr(function, "__name__", "") in _TOUCHING:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        code = 1
        try:
            sys.setprofile(watch)
            action()
            sys.setprofile(None)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False
