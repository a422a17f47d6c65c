"""Puts a subject's functions in the place of its agent's own: in its trials only, and only while trials run."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from harness.agent.binding import pass_for
from harness.errors import RegistryError
from harness.registry import Subject
from harness.subjects.task import find_world

__all__ = ["check_replacements", "replacing"]

_ABSENT = object()


@contextmanager
def replacing(subjects: Iterable[Subject]) -> Iterator[None]:
    """Let whoever calls a place that one of these subjects replaces get to what the running trial has there.

    Code of a trial of another subject, and code outside trials, gets to the original, which is put back in the end.
    Raises :class:`RegistryError` for a place that is no function.
    """
    with ExitStack() as undo:
        for place in dict.fromkeys(place for subject in subjects for place in subject.replace):
            undo.callback(_put(_find(place)))
        yield


def check_replacements(subject: Subject) -> None:
    """Raise :class:`RegistryError` where a place is no function, or what is to replace it can't."""
    for place, function in subject.replace.items():
        original = _find(place).original
        if inspect.iscoroutinefunction(function) and not inspect.iscoroutinefunction(original):
            raise RegistryError(f"{place} is no coroutine function, so none can replace it; write `def`")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a function is found by those who call it."""

    path: str
    owner: Any
    """A module, a class or an object."""
    name: str
    original: Callable[..., Any]
    kind: type | None
    """``staticmethod`` or ``classmethod``, where a class holds it as such."""


def _find(path: str) -> _Place:
    above, _, name = path.rpartition(".")
    if not above:
        raise RegistryError(f"can't replace {path!r}; write where it is looked up, as in `my_company.tools.{path}`")
    try:
        owner = pkgutil.resolve_name(above)
    except (ImportError, AttributeError, ValueError) as error:
        raise RegistryError(f"can't replace {path!r}: {error}; write where the agent looks it up") from error
    held = inspect.getattr_static(owner, name, _ABSENT)
    if held is _ABSENT:
        near = get_close_matches(name, dir(owner), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "write where the agent looks it up"
        raise RegistryError(f"can't replace {path!r}: {above} has no {name!r}; {hint}")
    kind = type(held) if isinstance(owner, type) and isinstance(held, staticmethod | classmethod) else None
    original = held.__func__ if kind else getattr(owner, name)
    if not callable(original):
        hint = "replace its functions, or have the agent's data read harness.current_world()"
        raise RegistryError(f"can't replace {path!r}: it is of type {type(original).__name__}, no function; {hint}")
    return _Place(path, owner, name, original, kind)


def _put(place: _Place) -> Callable[[], None]:
    """Stand in a place; what takes it back."""

    def choose() -> Callable[..., Any]:
        world = find_world(place.path, lambda world: place.path in world.replacements)
        return place.original if world is None else world.replacements.get(place.path, place.original)

    ours = pass_for(place.original, lambda args, kwargs: choose()(*args, **kwargs))
    shown = place.kind(ours) if place.kind else ours
    own = vars(place.owner).get(place.name, _ABSENT) if hasattr(place.owner, "__dict__") else _ABSENT
    try:
        setattr(place.owner, place.name, shown)
    except (AttributeError, TypeError, ValueError) as error:
        raise RegistryError(f"can't replace {place.path!r}: {error}; replace what it calls instead") from error

    def put_back() -> None:
        if inspect.getattr_static(place.owner, place.name, _ABSENT) is not shown:
            return  # somebody replaced it after us, and will put back what is ours: it leads to the original
        if own is _ABSENT:
            delattr(place.owner, place.name)
        else:
            setattr(place.owner, place.name, own)

    return put_back
