"""One function put in the place of another, and kept there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

__all__ = ["Function", "Patch"]

Function = Callable[..., Any]


class _Layer:
    """Ours on top of what stood there. Once given up it passes everything through, wherever it may turn up again.

    Others save what they find, and put it back when they leave: a function of ours may come back long after it was
    taken away, and a new one may by then stand before something else.
    """

    def __init__(self, real: Function, make: Callable[[Function], Function]) -> None:
        self.active = True
        ours = make(real)

        @functools.wraps(real)
        def function(*args: Any, **options: Any) -> Any:
            return (ours if self.active else real)(*args, **options)

        self.function = function


class Patch:
    """A method of a client library, and ours that stands in its place."""

    def __init__(self, owner: type, name: str, make: Callable[[Function], Function]) -> None:
        """``make`` gets what stood there before, which ours calls for whatever passes through."""
        self._owner = owner
        self._name = name
        self._make = make
        self._ours: WeakSet[Function] = WeakSet()
        self._top: _Layer | None = None

    def __str__(self) -> str:
        return f"{self._owner.__module__}.{self._owner.__qualname__}.{self._name}"

    def put(self) -> None:
        """Put ours in the path, on top of whatever is there now; only the last one that was put is active."""
        if self._top is not None and (self._current() is self._top.function or self._top.function in self._chain()):
            return
        self._give_up()
        self._top = _Layer(self._bare(), self._make)
        self._ours.add(self._top.function)
        setattr(self._owner, self._name, self._top.function)

    def take_back(self) -> None:
        """Give the place back, unless something else has been put on top of ours, which then passes through."""
        self._give_up()
        if self._current() is not self._bare():
            setattr(self._owner, self._name, self._bare())

    def is_held_by(self, package: str) -> bool:
        """Whether a function of the package stands before ours, or behind it."""
        if _is_of(package, self._owner):
            return False
        return any(_is_of(package, function) for function in self._chain())

    def clear_of(self, package: str) -> None:
        """Take the package's functions out of the place, and ours that stand before or behind them."""
        if self.is_held_by(package):
            self._give_up()
            rest = (function for function in self._chain() if function not in self._ours)
            setattr(self._owner, self._name, next(each for each in rest if not _is_of(package, each)))

    def _give_up(self) -> None:
        if self._top is not None:
            self._top.active = False
            self._top = None

    def _current(self) -> Function:
        function: Function = self._owner.__dict__[self._name]
        return function

    def _bare(self) -> Function:
        """What is there now, below all of ours that lie on top of it."""
        return next(function for function in self._chain() if function not in self._ours)

    def _chain(self) -> Iterator[Function]:
        """What is there now, and what each says that it wraps."""
        function: Any = self._current()
        while function is not None:
            yield function
            function = getattr(function, "__wrapped__", None)


def _is_of(package: str, thing: Any) -> bool:
    """Whether the package defined it, whatever it calls itself."""
    module = getattr(thing, "__globals__", {}).get("__name__") or getattr(thing, "__module__", None)
    return str(module).startswith(f"{package}.")
