"""Fills in parameters of a function, so that whoever inspects the rest sees a plain function of its own.

A ``functools.partial`` is none: frameworks read through it to the parameters that should be hidden, and one that is
filled in gets in the way of arguments given by position.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import RegistryError

__all__ = ["Parameters", "bind_function", "pass_for", "read_parameters", "show_as"]

_Call = Callable[[tuple[Any, ...], dict[str, Any]], Any]
"""What to do with positional and keyword arguments."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes, its annotations resolved."""

    whole: inspect.Signature
    """As it was written."""
    shown: inspect.Signature
    """Without the parameters that are filled in."""
    filled: Mapping[str, type]
    """The parameters that are filled in, and with what type."""


def read_parameters(function: Callable[..., Any], kinds: Collection[type]) -> Parameters:
    """A function's parameters, those annotated with one of the types set apart.

    Raises :class:`RegistryError` where they can't be read.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        whole = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        name = getattr(function, "__name__", None) or repr(function)
        raise RegistryError(f"tool {name!r}: its parameters can't be read: {error}") from error
    filled = {key: hints[key] for key in whole.parameters if _is_one_of(hints.get(key), kinds)}
    rest = [
        each.replace(annotation=hints.get(key, each.annotation))
        for key, each in whole.parameters.items()
        if key not in filled
    ]
    shown = inspect.Signature(rest, return_annotation=hints.get("return", whole.return_annotation))
    return Parameters(whole, shown, filled)


def bind_function(function: Callable[..., Any], parameters: Parameters, values: Mapping[type, object]) -> Any:
    """The function with its set-apart parameters filled in, async where it was; itself, where there are none."""
    if not parameters.filled:
        return function
    filled = {key: values[kind] for key, kind in parameters.filled.items()}

    def fill(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = {**parameters.shown.bind(*args, **kwargs).arguments, **filled}
        ordered = {key: given[key] for key in parameters.whole.parameters if key in given}
        whole = inspect.BoundArguments(parameters.whole, typing.cast("Any", ordered))
        return function(*whole.args, **whole.kwargs)

    return show_as(function, parameters.shown, fill)


def show_as(function: Callable[..., Any], signature: inspect.Signature, call: _Call) -> Callable[..., Any]:
    """A function that calls another way, and passes for this one, with this signature."""
    made = pass_for(function, call)
    del made.__dict__["__wrapped__"]  # it leads to the hidden parameters
    annotations = {each.name: each.annotation for each in signature.parameters.values()}
    if signature.return_annotation is not signature.empty:
        annotations["return"] = signature.return_annotation
    made.__annotations__ = {key: hint for key, hint in annotations.items() if hint is not inspect.Parameter.empty}
    made.__dict__["__signature__"] = signature
    return made


def pass_for(function: Callable[..., Any], call: _Call) -> Callable[..., Any]:
    """A function that calls another way, and passes for this one.

    It is a coroutine function where this one is; what ``call`` returns may then be awaitable.
    """

    def shown(*args: Any, **kwargs: Any) -> Any:
        return call(args, kwargs)

    async def shown_async(*args: Any, **kwargs: Any) -> Any:
        result = call(args, kwargs)
        return await result if inspect.isawaitable(result) else result

    return functools.wraps(function)(shown_async if inspect.iscoroutinefunction(function) else shown)


def _is_one_of(hint: object, kinds: Collection[type]) -> bool:
    return isinstance(hint, type) and hint in kinds
