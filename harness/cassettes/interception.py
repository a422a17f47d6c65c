"""Puts us in the path of every HTTP client that we claim, once for the process, and makes sure that we stay there.

One function per client stands in the place of the client's own and asks which trial the running code belongs to; where
no trial is under way it calls the client's own, so that the rest of a test session goes on as if we were not there.

vcrpy's stubs for http.client and urllib3 are not used for this: whenever one of them opens a connection it puts back,
for that moment and for all threads, the original of every client that vcrpy knows, so that another trial's request
would go out for real.
"""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from harness.cassettes.guards import (
    has_open_cassette,
    http_client_patches,
    remove_left_over,
    vcr_patches,
    websocket_patches,
)
from harness.cassettes.httpx_route import httpx_patches
from harness.cassettes.importing import ImportWatch
from harness.cassettes.patching import Patch
from harness.cassettes.probing import probe
from harness.cassettes.routing import covering, keeps_quiet, note_trial, using
from harness.cassettes.sessions import Session
from harness.errors import InterceptionError

__all__ = ["assert_in_path", "covered", "intercepted", "routed"]


def _urllib3_patches(module: Any) -> list[Patch]:
    route: Any = import_module("harness.cassettes.urllib3_route")
    patches: list[Patch] = route.urllib3_patches(module)
    return patches


def _aiohttp_patches(module: Any) -> list[Patch]:
    route: Any = import_module("harness.cassettes.aiohttp_route")
    patches: list[Patch] = route.aiohttp_patches(module)
    return patches


def _keep() -> None:
    _INTERCEPTION.keep()


_CLIENTS: dict[str, Callable[[Any], list[Patch]]] = {
    "aiohttp": _aiohttp_patches,
    "http.client": http_client_patches,
    "httpx": httpx_patches,
    "httpx2": httpx_patches,
    "requests": lambda _: [],  # goes through urllib3, as botocore does
    "urllib3": lambda module: _urllib3_patches(module.connectionpool),
    "websocket._core": lambda module: websocket_patches(module, "WebSocket.connect"),
    "websockets.asyncio.client": lambda module: websocket_patches(module, "connect.__init__"),
    "websockets.client": lambda module: websocket_patches(module, "ClientProtocol.__init__"),
    "websockets.legacy.client": lambda module: websocket_patches(module, "Connect.__init__"),
    "websockets.sync.client": lambda module: websocket_patches(module, "reconnect.__init__"),
    "websockets.trio.client": lambda module: websocket_patches(module, "connect.__init__"),
    "vcr.cassette": lambda module: vcr_patches(module, left=_keep),
}
"""The modules to watch, and what is patched in each."""


class _Interception:
    """What is installed, and how often it was asked for."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._met: dict[str, tuple[ModuleType, list[Patch]]] = {}
        self._unproven: set[str] = set()
        self._watch = ImportWatch(dict.fromkeys(_CLIENTS, self._meet))

    def enter(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth > 1:
                return
            if self._watch not in sys.meta_path:
                sys.meta_path.insert(0, self._watch)
            for name in _CLIENTS:
                if name in sys.modules:
                    self._meet(sys.modules[name])

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth or keeps_quiet():
                return
            sys.meta_path.remove(self._watch)
            for patch in self._all():
                patch.take_back()

    def check(self) -> None:
        with self._lock:
            if not self._depth:
                raise InterceptionError("HTTP is not intercepted, so nothing may be sent; enter intercepted() first")
            self.keep()
            if held := self._place_of_vcr():
                raise InterceptionError(
                    f"a vcr cassette is open around this trial and holds {held}, so nothing was sent; leave that "
                    "cassette (a fixture or decorator of wide scope?) before scenarios run"
                )
        while unproven := self._take_unproven():
            probe(unproven)  # without the lock: a client may import further ones while it is asked

    def keep(self) -> None:
        """Put back what was lost because somebody else restored what they had found."""
        with self._lock:
            if self._depth and self._place_of_vcr() and not has_open_cassette():
                remove_left_over()
                for patch in self._all():
                    patch.clear_of("vcr")
            for patch in self._all() if self._depth else ():
                patch.put()

    def _place_of_vcr(self) -> str:
        """A place that vcrpy holds; nothing where it holds none."""
        if "vcr" not in sys.modules:
            return ""
        stubs = sys.modules.get("vcr.stubs")
        if stubs is not None and issubclass(http.client.HTTPConnection, stubs.VCRConnection):
            return "http.client.HTTPConnection"
        return next((str(patch) for patch in self._all() if patch.is_held_by("vcr")), "")

    def _meet(self, module: ModuleType) -> None:
        """Patch a module that is there, or has just been imported."""
        with self._lock:
            name = module.__name__
            if name not in self._met or self._met[name][0] is not module:
                self._met[name] = module, _CLIENTS[name](module)
                self._unproven.add(name)
            for patch in self._met[name][1]:
                patch.put()

    def _take_unproven(self) -> set[str]:
        with self._lock:
            unproven, self._unproven = self._unproven, set()
            return unproven

    def _all(self) -> Iterator[Patch]:
        for _, patches in self._met.values():
            yield from patches


_INTERCEPTION: _Interception = _Interception()


@contextmanager
def intercepted() -> Iterator[None]:
    """Intercept HTTP for as long as the context lasts. May be entered again; the last to leave restores.

    After a replay of an agent that reports to a telemetry service nothing is restored: the report may come at any time.
    """
    _INTERCEPTION.enter()
    try:
        yield
    finally:
        _INTERCEPTION.leave()


def assert_in_path() -> None:
    """Make sure that each client's requests reach us. Raises :class:`InterceptionError`: then nothing may be sent."""
    _INTERCEPTION.check()


@contextmanager
def covered(session: Session) -> Iterator[None]:
    """Intercept HTTP, and send all requests but those of trials to the session; close it at the end.

    Raises :class:`InterceptionError` where they would not reach it.
    """
    with intercepted():
        assert_in_path()
        with covering(session):
            yield


@contextmanager
def routed(session: Session) -> Iterator[None]:
    """Send the requests of this context to the session, and close it at the end.

    Raises :class:`InterceptionError` where they would not reach it.
    """
    assert_in_path()
    try:
        with using(session):
            yield
    finally:
        note_trial(session)
