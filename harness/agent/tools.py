"""Tools made from typed Python functions: the schema a model reads, and a call that never raises what it can tell.

A synchronous function runs in the thread of the event loop, not in a worker: the tools of a trial share one world,
and threads would change it in another order on each run.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from harness.agent.binding import Parameters, bind_function, read_parameters
from harness.agent.docstrings import read_docstring
from harness.agent.schemas import explain_faults, without_titles
from harness.errors import BadInputError, CassetteError, InterceptionError, RegistryError, ToolError, message_of
from harness.records.base import JsonObject
from harness.records.message import ToolDefinition

__all__ = ["Tool", "ToolOutcome", "make_tool"]


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What one call gave, as the model will read it."""

    content: str
    is_error: bool = False
    broke: Exception | None = None
    """What the tool raised without meaning to; for the log, where the traceback belongs."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call."""

    definition: ToolDefinition
    function: Callable[..., Any]
    """What a call runs: a plain function with the model's parameters."""
    arguments: TypeAdapter[dict[str, Any]]
    """Reads JSON text into keyword arguments."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.definition.name

    @property
    def description(self) -> str:
        """What the model is told about it."""
        return self.definition.description

    @property
    def parameters(self) -> JsonObject:
        """JSON Schema of the arguments, an object."""
        return self.definition.parameters

    async def call(self, arguments: str) -> ToolOutcome:
        """Run with arguments as a model wrote them: JSON text.

        What goes wrong is an outcome that the model can act on. Only a fault of the project itself is raised
        (:class:`BadInputError`, :class:`CassetteError`, :class:`InterceptionError`, :class:`RegistryError`).
        """
        try:
            return await self._run(arguments.strip() or "{}")
        except ToolError as error:
            return ToolOutcome(message_of(error), is_error=True)
        except (BadInputError, CassetteError, InterceptionError, RegistryError):
            raise
        except Exception as error:  # noqa: BLE001 - a tool's failure is the model's to handle, whatever it is
            what = f"{self.name} failed: {type(error).__name__}: {message_of(error)}"
            return ToolOutcome(what, is_error=True, broke=error)

    def call_sync(self, arguments: str) -> ToolOutcome:
        """The same for a synchronous agent, which runs in a thread that has no event loop."""
        return asyncio.run(self.call(arguments))

    async def _run(self, arguments: str) -> ToolOutcome:
        if not arguments.startswith("{"):
            return self._refuse(f"- they must be one JSON object, not {arguments[:100]!r}")
        try:
            given = self.arguments.validate_json(arguments, strict=True)  # down into nested models too
        except ValidationError as error:
            return self._refuse(explain_faults(error))
        result = self.function(**given)
        return ToolOutcome(_write(await result if inspect.isawaitable(result) else result))

    def _refuse(self, faults: str) -> ToolOutcome:
        what = f"The arguments of {self.name} do not fit its parameters; call it again with these mended:"
        return ToolOutcome(f"{what}\n{faults}", is_error=True)


def make_tool(function: Callable[..., Any], *, inject: Mapping[type, object] | None = None) -> Tool:
    """A tool of a typed function; parameters annotated with a type of ``inject`` are bound and hidden from the model.

    The description comes from the docstring; a parameter's from its ``Field``, else from the docstring.
    Raises :class:`RegistryError` where a parameter has no type, or one that JSON can't express.
    """
    given = inject or {}
    shape = _read_function(function, frozenset(given))
    return Tool(shape.definition, bind_function(function, shape.parameters, given), shape.arguments)


@dataclass(frozen=True, slots=True)
class _Shape:
    definition: ToolDefinition
    arguments: TypeAdapter[dict[str, Any]]
    parameters: Parameters


@functools.lru_cache(maxsize=1024)  # a trial binds the same functions to its own world, and a schema takes 0.5 ms
def _read_function(function: Callable[..., Any], kinds: frozenset[type]) -> _Shape:
    name = getattr(function, "__name__", None) or repr(function)
    parameters = read_parameters(function, kinds)
    for each in parameters.shown.parameters.values():
        if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL, each.VAR_KEYWORD):
            raise RegistryError(
                f"tool {name!r}: parameter {each.name!r} is {each.kind.description}; a model needs names"
            )
        if each.annotation is each.empty:
            raise RegistryError(f"tool {name!r}: parameter {each.name!r} has no type; annotate it")
    try:
        arguments = _arguments_adapter(parameters.shown)
        schema = without_titles(arguments.json_schema())
    except (PydanticUserError, NameError) as error:
        reason = str(error).splitlines()[0]
        raise RegistryError(f"tool {name!r}: a parameter's type can't be written as JSON: {reason}") from error
    description, texts = read_docstring(function)
    properties = typing.cast("dict[str, JsonObject]", schema.setdefault("properties", {}))
    for key in texts.keys() & properties.keys():
        properties[key].setdefault("description", texts[key])
    definition = ToolDefinition(name=name, description=description, parameters=schema)
    return _Shape(definition, arguments, parameters)


def _arguments_adapter(signature: inspect.Signature) -> TypeAdapter[dict[str, Any]]:
    """Validates a JSON object as keyword arguments, by way of a function that returns what it was called with.

    Not a model with a field for each: a parameter may have a name that a model's fields can't, such as ``schema``.
    """

    def collect(**arguments: Any) -> dict[str, Any]:
        return arguments

    shown: Any = collect  # Pydantic reads a callable's signature, which type checkers know nothing of
    named = [each.replace(kind=each.KEYWORD_ONLY) for each in signature.parameters.values()]
    shown.__signature__ = inspect.Signature(named)
    shown.__annotations__ = {each.name: each.annotation for each in named}
    return TypeAdapter(shown)


def _write(result: Any) -> str:
    """A result as the model reads it: text as it is, everything else as compact JSON."""
    if isinstance(result, str):
        return result
    return json.dumps(result, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)  # its own order differs from one process to the next
    return to_jsonable_python(value, by_alias=True)
