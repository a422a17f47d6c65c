"""What a project's ``conftest.py`` declares: the subjects under test and the validators.

Light on purpose: a conftest imports it in every pytest session, so nothing heavy is imported here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from harness.errors import RegistryError, ToolError

__all__ = [
    "REGISTRY",
    "Command",
    "Endpoint",
    "Place",
    "Registry",
    "Subject",
    "command",
    "endpoint",
    "subject",
    "validator",
]

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=type)
T = TypeVar("T")


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the project something is declared."""

    file: str
    line: int
    """From 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line program under test: one process for each user turn."""

    argv: tuple[str, ...]
    """The program and its arguments. ``{input}`` stands for what the user says; without it that goes to stdin."""
    json: bool
    """Whether stdout is JSON rather than text."""
    base_urls: Mapping[str, str]
    """Environment variables that name a provider, beyond those of OpenAI and Anthropic: each with its usual address."""
    place: Place


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server under test, started for each trial: each user turn is POSTed to it."""

    argv: tuple[str, ...]
    """The program and its arguments. ``{port}`` stands for the port to listen on."""
    path: str
    body: Any
    """JSON, in whose texts ``{input}``, ``{run_id}`` and ``{turn}`` are replaced."""
    answer: str
    """The dotted path of the answer in the JSON of the reply, or of each event; empty for all of it."""
    ready: str | None
    """The path that answers 2xx once the server can be used; None where it is enough that it listens."""
    base_urls: Mapping[str, str]
    """As those of a :class:`Command`."""
    place: Place


@dataclass(frozen=True, slots=True)
class Subject:
    """An agent under test."""

    name: str
    agent: Callable[..., Any] | Command | Endpoint
    """A callable that takes a :class:`harness.Task` and returns the answer; a class that is made with the task and
    whose ``answer`` is that callable; or a program of its own."""
    tools: tuple[Callable[..., Any], ...] = ()
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
        if known is not None and _place(known.agent) != _place(entry.agent):
            raise _declared_twice("subject", entry.name, known.agent, entry.agent)
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
    """Declare the decorated callable or class as the subject of that name.

    A callable is called once per user turn with a :class:`harness.Task` and returns the answer: text, a Pydantic model
    or plain data. It may be a coroutine function. A class is made once per trial, with the task of the first turn; its
    ``answer(task)`` is that callable, and its ``close()``, where it has one, is called when the trial ends.

    ``tools`` are typed functions; a parameter annotated :class:`harness.World` receives the trial's world and is hidden
    from the model. ``replace`` puts such functions in the place of the agent's own while a trial runs, each by the
    dotted name under which the agent looks it up. ``tool_error`` is the exception that a mock's ``raises`` becomes: the
    one by which a tool of the subject's framework tells its model that it failed. Raises :class:`RegistryError` for a
    class without ``answer``.
    """

    def declare(agent: F) -> F:
        if isinstance(agent, type) and not callable(getattr(agent, "answer", None)):
            raise RegistryError(
                f"subject {name!r}: class {agent.__qualname__} has no method answer(task); add it, and return the "
                "answer to task.input"
            )
        registry.add_subject(Subject(name, agent, tuple(tools), replace, tool_error))
        return agent

    return declare


def command(
    name: str,
    argv: Sequence[str | os.PathLike[str]],
    *,
    json: bool = False,
    base_urls: Mapping[str, str] | None = None,
    registry: Registry = REGISTRY,
) -> None:
    """Declare a command line program as the subject of that name.

    It is started once per user turn, in the project's folder. ``{input}`` in ``argv`` stands for what the user says;
    without it that goes to stdin. What the program prints on stdout is the answer, with ``json`` as data. It reaches
    its model through ``OPENAI_BASE_URL`` and ``ANTHROPIC_BASE_URL``; ``base_urls`` names further such variables, each
    with the address that it has by default. Raises :class:`RegistryError` for what can't be used.
    """
    agent = Command(_check_argv(name, argv), json, _check_urls(name, base_urls or {}), _caller())
    registry.add_subject(Subject(name, agent))


def endpoint(
    name: str,
    argv: Sequence[str | os.PathLike[str]],
    *,
    path: str = "/",
    body: Any = None,
    answer: str = "answer",
    ready: str | None = None,
    base_urls: Mapping[str, str] | None = None,
    registry: Registry = REGISTRY,
) -> None:
    """Declare a server as the subject of that name.

    ``argv`` starts it, once per trial, in the project's folder; ``{port}`` stands for the port of 127.0.0.1 to listen
    on, which ``PORT`` holds as well. It is asked once it listens, or once ``ready`` answers with a status of 2xx. Each
    user turn POSTs ``body``, by default ``{"input": "{input}"}``, to ``path``; in its texts ``{input}``, ``{run_id}``
    and ``{turn}`` are replaced. The answer is read at the dotted path ``answer`` of a JSON reply; of an event stream,
    it is what the events hold there, joined. ``base_urls`` is as for :func:`command`. Raises :class:`RegistryError`.
    """
    for what, place in (("path", path), ("ready", ready)):
        if place is not None and not place.startswith("/"):
            raise RegistryError(f"subject {name!r}: {what} = {place!r} is no path; begin it with /")
    body = {"input": "{input}"} if body is None else body
    urls = _check_urls(name, base_urls or {})
    agent = Endpoint(_check_argv(name, argv), path, body, answer, ready, urls, _caller())
    registry.add_subject(Subject(name, agent))


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


def _check_argv(name: str, argv: Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    if isinstance(argv, str) or not argv or not all(isinstance(part, str | os.PathLike) for part in argv):
        raise RegistryError(
            f"subject {name!r}: {argv!r} is no list of arguments; write the program and each argument as a text of "
            'its own: ["node", "agent.js"]'
        )
    return tuple(os.fspath(part) for part in argv)


def _check_urls(name: str, urls: Mapping[str, str]) -> dict[str, str]:
    for variable, url in urls.items():
        if not _VARIABLE.fullmatch(variable) or not re.match(r"https?://[^/]", url):
            raise RegistryError(
                f"subject {name!r}: base_urls has {variable!r}: {url!r}; it needs the name of an environment variable "
                'and the address that the program uses without it: {"MISTRAL_BASE_URL": "https://api.mistral.ai/v1"}'
            )
    return dict(urls)


def _caller() -> Place:
    """The line that declares a program: of the code that called the caller of this."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no public way that is as light
    return Place(frame.f_code.co_filename, frame.f_lineno)


def _place(declared: Any) -> tuple[str, str]:
    """The file and name of a function or class: the same also where its module was loaded under another name."""
    if isinstance(declared, Command | Endpoint):
        return declared.place.file, str(declared.place.line)
    module = sys.modules.get(getattr(declared, "__module__", ""))
    file = getattr(module, "__file__", None) or getattr(declared, "__module__", "")
    return (str(file), getattr(declared, "__qualname__", repr(declared)))


def _declared_twice(kind: str, name: str, first: object, second: object) -> RegistryError:
    return RegistryError(f"{kind} {name!r} is registered twice: by {_shown(first)} and {_shown(second)}; rename one")


def _shown(declared: Any) -> str:
    if isinstance(declared, Command | Endpoint):
        return str(declared.place)
    return f"{getattr(declared, '__module__', '?')}.{getattr(declared, '__qualname__', '?')}"
