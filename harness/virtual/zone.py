"""The time zone of a trial: the one in which it was recorded, whatever the machine's own is."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["current_zone", "zoned"]

_UTC = "UTC+00:00"
_NAME = re.compile("[A-Za-z]{3,6}")
_NUMBER = re.compile(r"[+-]\d{2,4}")


def current_zone() -> str:
    """The zone in force, as POSIX has it in ``TZ``: its name, and what to add to its time for UTC, ``CET-01:00``.

    Only what is in force now: when its summer begins and ends does not stand there.
    """
    now = time.localtime()
    minutes = now.tm_gmtoff // 60
    hours, rest = divmod(abs(minutes), 60)
    name = now.tm_zone
    if not _NAME.fullmatch(name):
        number = f"{'-' if minutes < 0 else '+'}{hours:02}{f'{rest:02}' if rest else ''}"
        name = f"<{name if _NUMBER.fullmatch(name) else number}>"
    return f"{name}{'-' if minutes > 0 else '+'}{hours:02}:{rest:02}"


@contextmanager
def zoned(zone: str | None) -> Iterator[None]:
    """Have local time be that of a zone, in the whole process. None changes nothing; nor can Windows."""
    if zone is None or not hasattr(time, "tzset") or (zone == _UTC and _is_utc()):
        yield
        return
    before = os.environ.get("TZ")
    _set(zone)
    try:
        yield
    finally:
        _set(before)


def _is_utc() -> bool:
    """Whether local time is UTC at any date, as in most containers: to set it would read two files for each trial."""
    return time.tzname[0] == "UTC" and not time.timezone and not time.daylight


def _set(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()
