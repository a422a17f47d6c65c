"""Puts the process into a network of its own in which there is nobody: Linux only."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import threading
from pathlib import Path

from harness.errors import IsolationError

if sys.platform == "linux":
    import fcntl

__all__ = ["isolate"]

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def isolate() -> None:
    """Leave every network but a loopback of the process's own, children and C libraries included.

    Before any thread is started. Raises :class:`IsolationError` where the system does not let us.
    """
    if sys.platform != "linux":
        raise IsolationError(f"--isolated needs Linux; this is {sys.platform}")
    if threading.active_count() > 1:
        raise IsolationError("--isolated must come before any thread is started; leave out what starts one at import")
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if user != 0:
        _call(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET))
        Path("/proc/self/setgroups").write_bytes(b"deny")
        Path("/proc/self/uid_map").write_bytes(b"%d %d 1" % (user, user))
        Path("/proc/self/gid_map").write_bytes(b"%d %d 1" % (group, group))
    else:
        _call(libc.unshare(_CLONE_NEWNET))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        name, flags, rest = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GET_FLAGS, request))
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14s", name, flags | _UP, rest))


def _call(result: int) -> None:
    if result:
        reason = os.strerror(ctypes.get_errno())
        raise IsolationError(
            f"--isolated: the system refuses a network of our own ({reason}); some containers forbid it, and then it "
            "helps to run the container without a network"
        )
