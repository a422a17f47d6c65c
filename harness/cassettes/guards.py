"""Refuses, by name, what would slip past a trial: plain http.client, and vcr cassettes opened inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.cassettes.patching import Patch
from harness.cassettes.routing import in_trial, is_forwarding, route
from harness.errors import InterceptionError

__all__ = ["http_client_patches", "vcr_patches"]


def http_client_patches(module: Any) -> list[Patch]:
    """What to put in the place of the method that begins every request of http.client."""
    real = next(kind for kind in module.HTTPConnection.__mro__ if kind.__module__ == "http.client")
    return [Patch(real, "putrequest", _putrequest_handler)]


def vcr_patches(module: Any) -> list[Patch]:
    """What to put in the place of the method that opens a vcr cassette."""
    return [Patch(module.CassetteContextDecorator, "__enter__", _enter_handler)]


def _putrequest_handler(patch: Patch) -> Callable[..., Any]:
    def putrequest(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        place = f"{method} {self.host}:{self.port}{url}"
        session = route(lambda: place)
        if session is None or is_forwarding():
            return patch.real(self, method, url, *args, **options)
        cause = (
            f"{place} was sent by plain http.client (urllib.request?), which is not recorded; in an agent use httpx2, "
            "httpx, requests, urllib3 or aiohttp"
        )
        raise session.refuse(cause, place)

    return putrequest


def _enter_handler(patch: Patch) -> Callable[..., Any]:
    def enter(self: Any) -> Any:
        if in_trial():
            path = self._args_getter().get("path", "without a path")
            raise InterceptionError(
                f"the vcr cassette {path} is opened inside a trial, whose traffic is already recorded; leave it out"
            )
        return patch.real(self)

    return enter
