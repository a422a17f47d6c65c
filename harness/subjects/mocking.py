"""Puts what a scenario's author wrote in the place of a tool: same name, same parameters, another answer."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from inspect import Parameter, Signature
from typing import Any

from pydantic import JsonValue, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import SchemaError, to_jsonable_python

from harness.agent.binding import read_parameters, show_as
from harness.agent.schemas import explain_faults
from harness.records.base import JsonObject
from harness.records.likeness import contains
from harness.records.mock import Mock, Mocks
from harness.records.trace import Event, ToolCalled

__all__ = ["MockFault", "find_mock_faults", "mark_mocked", "mock_function"]

MockFault = tuple[tuple[str | int, ...], str]
"""The path below ``mocks`` of what is wrong, and what that is."""


def mock_function(
    function: Callable[..., Any],
    mocks: Mocks,
    *,
    error: Callable[[str], Exception],
    note: Callable[[JsonObject], None],
) -> Callable[..., Any]:
    """A function that passes for this one and answers by the first mock that fits; where none does, it is called.

    ``error`` makes an exception of a mock's ``raises``; ``note`` is told the arguments of each call that was mocked.
    """
    signature = read_parameters(function, ()).shown
    left = [mock.times for mock in mocks]
    lock = threading.Lock()

    def take(arguments: Mapping[str, Any]) -> Mock | None:
        with lock:  # a framework may call tools in threads
            for number, mock in enumerate(mocks):
                count = left[number]
                if count != 0 and _fits(mock.when, arguments, signature):
                    left[number] = None if count is None else count - 1
                    return mock
        return None

    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        mock = take(given.arguments)
        if mock is None:
            return function(*args, **kwargs)
        note(_plain(given.arguments))
        if mock.raises is not None:
            raise error(mock.raises)
        return _typed(mock.returns, signature.return_annotation)

    return show_as(function, signature, call)


def find_mock_faults(functions: Mapping[str, Callable[..., Any]], mocks: Mapping[str, Mocks]) -> Iterator[MockFault]:
    """Where the mocks don't fit the tools that they stand for. ``functions`` has the tools by their names."""
    for name, several in mocks.items():
        if name not in functions:
            yield (name,), f"there is no tool {name!r}; {_nearest(name, functions)}"
            continue
        signature = read_parameters(functions[name], ()).shown
        for number, mock in enumerate(several):
            for key, part in mock.when.items():
                if fault := _fault_of_argument(key, part, signature):
                    yield (name, number, "when", key), f"tool {name!r} {fault}"
            if mock.raises is None and (fault := _fault(mock.returns, signature.return_annotation)):
                yield (name, number, "returns"), f"is no result of {name!r}: {fault}; write one that its type allows"


def mark_mocked(events: Iterable[Event], calls: Iterable[tuple[str, JsonObject]]) -> Iterator[Event]:
    """The events, each tool call marked of which it is known that a mock answered it.

    ``calls`` are the mocked ones, with all their arguments: a model may leave out those that have a default.
    """
    left = list(calls)
    for event in events:
        found = None
        if isinstance(event, ToolCalled):
            given = event.arguments
            fitting = (
                number for number, (name, all_of) in enumerate(left) if name == event.name and contains(all_of, given)
            )
            found = next(fitting, None)
        if found is None:
            yield event
        else:
            del left[found]
            yield event.model_copy(update={"mocked": True})


def _fits(when: JsonObject, arguments: Mapping[str, Any], signature: Signature) -> bool:
    return all(
        key in arguments and _fits_argument(part, arguments[key], signature.parameters[key].annotation)
        for key, part in when.items()
    )


def _fits_argument(part: JsonValue, value: Any, hint: Any) -> bool:
    """Whether an argument is what the author wrote: as JSON, or else as a value of its type.

    The second, because one value may be written in several ways: a ``Decimal`` as 59 or "59.00".
    """
    if contains(_plain(value), part):
        return True
    if isinstance(part, dict) or _fault(part, hint):
        return False
    typed = _typed(part, hint)
    return type(typed) is type(value) and bool(typed == value)


def _fault_of_argument(key: str, part: JsonValue, signature: Signature) -> str | None:
    if key not in signature.parameters:
        return f"has no argument {key!r}; {_nearest(key, signature.parameters)}"
    if isinstance(part, dict):
        return None  # a part of an object need not be one of its type
    fault = _fault(part, signature.parameters[key].annotation)
    return f"is never called with this {key}: {fault}; write a value that its type allows" if fault else None


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    """What reads JSON as a value of a type; None where the type is unknown, or none that JSON has a form for."""
    if hint is Parameter.empty:
        return None
    try:
        return TypeAdapter(hint)
    except (PydanticUserError, SchemaError, NameError):
        return None


def _typed(value: JsonValue, hint: Any) -> Any:
    """What the author wrote, as the code expects it; always made anew, because the code may change it."""
    adapter = _adapter(hint)
    return copy.deepcopy(value) if adapter is None else adapter.validate_json(json.dumps(value), strict=True)


def _fault(value: JsonValue, hint: Any) -> str | None:
    """Why a value is none of a type, in a line."""
    try:
        _typed(value, hint)
    except ValidationError as error:
        return explain_faults(error).splitlines()[0].removeprefix("- ")
    return None


def _plain(value: Any) -> Any:
    return to_jsonable_python(value, by_alias=True, serialize_unknown=True)


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
