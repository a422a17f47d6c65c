"""What a project's ``conftest.py`` declares: the subjects under test and the validators.

Light on purpose: a conftest imports it in every pytest session, so nothing heavy is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from harness.errors import RegistryError, ToolError

__all__ = ["REGISTRY", "Registry", "Subject", "subject", "validator"]

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=type)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """An agent under test: any callable that takes a :class:`harness.Task` and returns the answer."""

    name: str
    function: Callable[..., Any]
    tools: tuple[Callable[..., Any], ...]
    """Typed functions that the subject may offer to its model, bound to each trial's world."""
    replace: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Functions that stand in the place of the agent's own in its trials, by the dotted name of that place."""
    tool_error: Callable[[str], Exception] = ToolError
    """Makes the exception of a mock's ``raises``."""


@dataclass(slots=True)
class Registry:
    """The declared names. A name is declared once; the same code loaded again replaces itself."""

    subjects: dict[str, Subject] = field(default_factory=dict)
    validators: dict[str, type] = field(default_factory=dict)

    def add_subject(self, entry: Subject) -> None:
        """Declare a subject. Raises :class:`RegistryError` where other code has the name."""
        known = self.subjects.get(entry.name)
        if known is not None and _place(known.function) != _place(entry.function):
            raise _declared_twice("subject", entry.name, known.function, entry.function)
        self.subjects[entry.name] = entry

    def add_validator(self, name: str, model: type) -> None:
        """Declare a validator. Raises :class:`RegistryError` where other code has the name."""
        known = self.validators.get(name)
        if known is not None and _place(known) != _place(model):
            raise _declared_twice("validator", name, known, model)
        self.validators[name] = model

    def find_subject(self, name: str) -> Subject:
        """The subject of that name. Raises :class:`RegistryError` with the nearest known one."""
        return _find("subject", self.subjects, name)

    def find_validator(self, name: str) -> type:
        """The validator of that name. Raises :class:`RegistryError` with the nearest known one."""
        return _find("validator", self.validators, name)


REGISTRY = Registry()


def subject(
    name: str,
    *,
    tools: Iterable[Callable[..., Any]] = (),
    replace: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
    tool_error: Callable[[str], Exception] = ToolError,
    registry: Registry = REGISTRY,
) -> Callable[[F], F]:
    """Declare the decorated callable as the subject of that name.

    It is called once per user turn with a :class:`harness.Task` and returns the answer: text, a Pydantic model or plain
    data. It may be a coroutine function. ``tools`` are typed functions; a parameter annotated :class:`harness.World`
    receives the trial's world and is hidden from the model. ``replace`` puts such functions in the place of the agent's
    own while a trial runs, each by the dotted name under which the agent looks it up. ``tool_error`` is the exception
    that a mock's ``raises`` becomes: the one by which a tool of the subject's framework tells its model that it failed.
    """

    def declare(function: F) -> F:
        registry.add_subject(Subject(name, function, tuple(tools), replace, tool_error))
        return function

    return declare


def validator(name: str, *, registry: Registry = REGISTRY) -> Callable[[M], M]:
    """Declare the decorated Pydantic model as the validator of that name.

    Its validation context holds ``world`` (the final state) and ``trace``.
    """

    def declare(model: M) -> M:
        registry.add_validator(name, model)
        return model

    return declare


def _find(kind: str, known: dict[str, T], name: str) -> T:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    raise RegistryError(f"{kind} {name!r} is not registered in conftest.py; {hint}")


def _place(declared: Any) -> tuple[str, str]:
    """The file and name of a function or class: the same also where its module was loaded under another name."""
    module = sys.modules.get(getattr(declared, "__module__", ""))
    file = getattr(module, "__file__", None) or getattr(declared, "__module__", "")
    return (str(file), getattr(declared, "__qualname__", repr(declared)))


def _declared_twice(kind: str, name: str, first: object, second: object) -> RegistryError:
    places = " and ".join(f"{getattr(o, '__module__', '?')}.{getattr(o, '__qualname__', '?')}" for o in (first, second))
    return RegistryError(f"{kind} {name!r} is registered twice: by {places}; rename one")
