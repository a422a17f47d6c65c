"""One function put in the place of another, and kept there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from harness.errors import InterceptionError

__all__ = ["Patch"]


class Patch:
    """A method of a client library, and ours that stands in its place."""

    def __init__(self, owner: type, name: str, make: Callable[[Patch], Callable[..., Any]]) -> None:
        self._owner = owner
        self._name = name
        self.real: Callable[..., Any] = owner.__dict__[name]
        """What stood there before; ours calls it for whatever passes through."""
        self._ours = functools.wraps(self.real)(make(self))

    def put(self) -> None:
        """Put ours in the path, on top of whatever is there now."""
        current = self._owner.__dict__[self._name]
        if not self._is_reached(current):
            self.real = current
            setattr(self._owner, self._name, self._ours)

    def take_back(self) -> None:
        """Give the place back, unless something else has been put on top of ours, which then still passes through."""
        if self._owner.__dict__[self._name] is self._ours:
            setattr(self._owner, self._name, self.real)

    def check(self) -> None:
        """Make sure that ours is in the path, and no vcr cassette before or behind it.

        What was lost because somebody else restored the original is put back. Raises :class:`InterceptionError` where
        a vcr cassette has the place.
        """
        current = self._owner.__dict__[self._name]
        behind = self.real if self._is_reached(current) else current
        if not _is_of_vcr(self._owner) and (_is_of_vcr(current) or _is_of_vcr(behind)):
            place = f"{self._owner.__module__}.{self._owner.__qualname__}.{self._name}"
            raise InterceptionError(
                f"a vcr cassette is open around this trial and holds {place}, so nothing was sent; leave that cassette "
                "(a fixture or decorator of wide scope?) before scenarios run"
            )
        self.put()

    def _is_reached(self, function: Any) -> bool:
        """Whether a call of the function comes to ours: it is ours, or says that it wraps ours."""
        while function is not None:
            if function is self._ours:
                return True
            function = getattr(function, "__wrapped__", None)
        return False


def _is_of_vcr(thing: Any) -> bool:
    """Whether vcrpy defined it, whatever it calls itself."""
    module = getattr(thing, "__globals__", {}).get("__name__") or getattr(thing, "__module__", None)
    return str(module).startswith("vcr.")
