"""Refuses, by name, what would slip past a trial: plain http.client, WebSockets, and vcr cassettes opened inside."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

from harness.cassettes.patching import Function, Patch
from harness.cassettes.routing import in_trial, is_forwarding, refuse_websocket, route
from harness.errors import InterceptionError

__all__ = ["has_open_cassette", "http_client_patches", "remove_left_over", "vcr_patches", "websocket_patches"]


def http_client_patches(module: Any) -> list[Patch]:
    """What to put in the place of the method that begins every request of http.client."""
    connection = getattr(module.HTTPConnection, "_baseclass", module.HTTPConnection)  # behind an open vcr cassette's
    real = next(kind for kind in connection.__mro__ if kind.__module__ == "http.client")
    return [Patch(real, "putrequest", _putrequest_handler)]


def vcr_patches(module: Any, *, left: Callable[[], None]) -> list[Patch]:
    """What to put in the place of the methods that open and close a vcr cassette; ``left`` is called after the second.

    A cassette that closes puts back what it found when it was opened, also where that is older than what is there now.
    """
    kind = module.CassetteContextDecorator
    return [
        Patch(kind, "__enter__", _enter_handler),
        Patch(kind, "__exit__", functools.partial(_exit_handler, left)),
    ]


def websocket_patches(module: Any, *places: str) -> list[Patch]:
    """What to put in the place of methods (``Class.method``) that open a WebSocket, where this version has them."""
    split = (place.split(".") for place in places)
    found: list[tuple[Any, str]] = [(getattr(module, owner, None), name) for owner, name in split]
    return [Patch(owner, name, _websocket_handler) for owner, name in found if owner is not None]


def has_open_cassette() -> bool:
    """Whether any vcr cassette is open in this process. Looks at every object, so ask where one seems to be.

    vcrpy keeps no list, and one that was opened before we came was not seen.
    """
    kind = sys.modules["vcr.cassette"].CassetteContextDecorator
    finish = f"_{kind.__name__}__finish"
    was_frozen = gc.get_freeze_count() > 0
    if was_frozen:
        gc.unfreeze()  # what is frozen is found by nobody
    try:
        return any(
            issubclass(type(thing), kind) and vars(thing).get(finish, thing)
            for thing in gc.get_referrers(kind, *kind.__subclasses__())  # an object refers to its class
        )
    finally:
        if was_frozen:
            gc.freeze()


def remove_left_over() -> None:
    """Put back the connections of http.client and urllib3, where no vcr cassette is open.

    Two that overlap, the first left first, leave the first one's in place for good.
    """
    for patcher in sys.modules["vcr.patch"].reset_patchers():
        if isinstance(patcher.new, type):
            setattr(patcher.getter(), patcher.attribute, patcher.new)


def _putrequest_handler(real: Function) -> Function:
    def putrequest(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        place = f"{method} {self.host}:{self.port}{url}"
        session = None if is_forwarding() else route(lambda: place)
        if session is None:
            return real(self, method, url, *args, **options)
        cause = (
            f"{place} was sent by plain http.client (urllib.request?), which is not recorded; in an agent use httpx2, "
            "httpx, requests, urllib3 or aiohttp"
        )
        raise session.refuse(cause, place)

    return putrequest


def _websocket_handler(real: Function) -> Function:
    def open_websocket(self: Any, uri: Any = "", *args: Any, **options: Any) -> Any:
        place = str(uri or options.get("url", "a WebSocket"))
        session = route(lambda: place)
        if session is None:
            return real(self, uri, *args, **options) if uri else real(self, *args, **options)
        raise refuse_websocket(session, place)

    return open_websocket


def _enter_handler(real: Function) -> Function:
    def enter(self: Any) -> Any:
        if in_trial():
            path = self._args_getter().get("path", "without a path")
            raise InterceptionError(
                f"the vcr cassette {path} is opened inside a trial, whose traffic is already recorded; leave it out"
            )
        return real(self)

    return enter


def _exit_handler(left: Callable[[], None], real: Function) -> Function:
    def leave(*args: Any) -> Any:
        try:
            return real(*args)
        finally:
            left()

    return leave
