"""Python with what Windows lacks taken away, as far as that can be had on another system; then a program of ours.

``python windows.py harness|pytest ARGUMENTS``. What the package finds here as there: ``sys.platform``, no modules and
functions of POSIX, files that are open can't be renamed, replaced or removed, folders can't be opened, and output in
code page 1252. What it finds different: paths, line ends of text files, sockets, processes and the loops of asyncio,
which stay those of this system.
"""

from __future__ import annotations

import errno
import importlib
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ABSENT_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "readline"}
ABSENT = {
    "os": ("fork", "forkpty", "getuid", "geteuid", "getgid", "setsid", "killpg", "getpgid", "chown", "mkfifo", "uname"),
    "signal": ("SIGKILL", "SIGALRM", "SIGHUP", "SIGCHLD", "SIGUSR1", "alarm", "setitimer", "pthread_sigmask"),
    "time": ("tzset",),
}
FIRST = ("asyncio", "ctypes", "multiprocessing", "openai.resources.chat", "pytest", "anyio", "tempfile", "shutil")
"""What must find the system that is really there; the modules of ours must not be among it."""


class _Absent:
    """Finds no module of POSIX."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in ABSENT_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def become_windows() -> None:
    """Take away what there is not."""
    for name in FIRST:
        importlib.import_module(name)
    assert not any(name == "harness" or name.startswith("harness.") for name in sys.modules)
    for name in ABSENT_MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Absent())
    for module, names in ABSENT.items():
        for name in names:
            if hasattr(sys.modules[module], name):
                delattr(sys.modules[module], name)
    sys.platform = "win32"
    os.O_BINARY = 0  # type: ignore[attr-defined]
    for name, count in (("rename", 2), ("replace", 2), ("remove", 1), ("unlink", 1)):
        setattr(os, name, _sharing(getattr(os, name), count))
    os.open = _opening(os.open)


def _sharing(real: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A change of these first arguments, refused where one of them is open in this process."""

    def change(*places: Any, **options: Any) -> Any:
        for place in places[:count]:
            if options.get("dir_fd") is None and Path(place).resolve() in _open_files():
                raise PermissionError(errno.EACCES, "It is being used by another process", str(place))
        return real(*places, **options)

    return change


def _open_files() -> set[Path]:
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found.add(handle.readlink())
        except OSError:  # the one that lists them
            continue
    return found


def _opening(real: Callable[..., int]) -> Callable[..., int]:
    def open_file(place: Any, flags: int, *rest: Any, **options: Any) -> int:
        from_shutil = sys._getframe(1).f_globals["__name__"] == "shutil"  # which looks whether it can, once
        if isinstance(place, str | Path) and Path(place).is_dir() and not from_shutil:
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return real(place, flags, *rest, **options)

    return open_file


def main() -> None:
    """Be Windows, and run the program."""
    door, sys.argv[:] = sys.argv[1], [sys.argv[1], *sys.argv[2:]]
    sys.path[0] = ""
    become_windows()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="cp1252", errors="strict")  # type: ignore[union-attr]
    if door == "harness":
        from harness.cli import main as harness

        sys.exit(harness())
    runpy.run_module(door, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
