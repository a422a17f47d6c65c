"""Connections of one asynchronous client in several event loops, each of which has its own.

A connection belongs to the loop that opened it. An agent keeps its client for the life of the process, and so it may:
in production there is one loop. Here a trial whose subject is synchronous has a thread of its own, and each call of
``run_sync`` or ``asyncio.run`` in it may have its own loop; pytest makes one for each case.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["in_this_loop"]

_LOCK = threading.Lock()
_KNOWN: WeakKeyDictionary[Any, WeakKeyDictionary[asyncio.AbstractEventLoop, Any]] = WeakKeyDictionary()
"""By transport: what stands in for it in each loop; None where it is the transport itself."""


def in_this_loop(transport: Any) -> Any:
    """The transport of httpx or httpx2 itself in the loop that met it first, in every other one a twin of it.

    A twin is set up in the same way and has no connections yet. Where the loop is none of asyncio's, or the transport
    not made as we know it, it stays alone.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return transport
    with _LOCK:
        loops = _KNOWN.setdefault(transport, WeakKeyDictionary())
        if loop not in loops:
            loops[loop] = _twin(transport) if loops or _has_connections(transport) else None
        return loops[loop] or transport


def _has_connections(transport: Any) -> bool:
    """Whether it was used before we met it, in what loop nobody knows, or in one that is gone."""
    return bool(getattr(getattr(transport, "_pool", None), "_connections", None))


def _twin(transport: Any) -> Any:
    pool = getattr(transport, "_pool", None)
    if not hasattr(pool, "_connections") or not hasattr(pool, "_requests"):
        return None
    twin = copy.copy(transport)
    twin._pool = copy.copy(pool)  # noqa: SLF001 - neither can be asked how it was set up
    twin._pool._connections, twin._pool._requests = [], []  # noqa: SLF001
    return twin
