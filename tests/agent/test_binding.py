"""Functions with parameters filled in, as frameworks see and call them."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError, validate_call

from harness.agent.binding import bind_function, read_parameters


class Shop:
    """What is filled in."""

    def __init__(self, name: str) -> None:
        self.name = name


Number = Annotated[str, Field(pattern="^[0-9]+$")]


def look_up(shop: Shop, order_id: Number, deep: bool = False) -> dict[str, Any]:
    """Look up one order."""
    return {"shop": shop.name, "order_id": order_id, "deep": deep}


async def look_up_async(order_id: Number, shop: Shop, deep: bool = False) -> dict[str, Any]:
    """Look up one order."""
    await asyncio.sleep(0)
    return look_up(shop, order_id, deep)


def bind(function: Callable[..., Any], name: str = "north") -> Any:
    """The function, bound to a shop of that name."""
    return bind_function(function, read_parameters(function, {Shop}), {Shop: Shop(name)})


@pytest.mark.parametrize("function", [look_up, look_up_async])
def test_it_passes_for_a_plain_function(function: Callable[..., Any]) -> None:
    """However a framework inspects it, the filled-in parameter was never there, and all else is as written."""
    bound = bind(function)
    assert inspect.isfunction(bound)
    assert inspect.iscoroutinefunction(bound) == inspect.iscoroutinefunction(function)
    signature = inspect.signature(bound)
    assert str(signature.replace(return_annotation=signature.empty)).endswith("deep: bool = False)")
    assert list(signature.parameters) == ["order_id", "deep"]
    assert signature.return_annotation == dict[str, Any]
    hints = {"order_id": Number, "deep": bool, "return": dict[str, Any]}
    assert typing.get_type_hints(bound, include_extras=True) == hints
    assert inspect.get_annotations(bound, eval_str=True) == hints
    assert inspect.unwrap(bound) is bound
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(bound, attribute) == getattr(function, attribute)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [(("1042",), {}), (("1042", True), {}), (("1042",), {"deep": True}), ((), {"deep": True, "order_id": "1042"})],
)
@pytest.mark.parametrize("function", [look_up, look_up_async])
def test_it_is_called_by_position_or_by_name(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Frameworks call either way, wherever the filled-in parameter stood; the function's own default stays."""
    result = bind(function)(*args, **kwargs)
    if inspect.isawaitable(result):
        result = asyncio.run(typing.cast("Any", result))
    deep = "deep" in kwargs or len(args) > 1
    assert result == {"shop": "north", "order_id": "1042", "deep": deep}


def test_a_validating_framework_takes_it() -> None:
    """Pydantic's own wrapper reads its constraints, and calls it."""
    checked = validate_call(bind(look_up))
    assert checked("1042")["shop"] == "north"
    with pytest.raises(ValidationError, match="String should match"):
        checked("no number")
    with pytest.raises(ValidationError, match="shop"):
        checked("1042", shop=Shop("south"))


def test_wrong_arguments_are_a_type_error() -> None:
    """What is wrong in a call is told in the terms of the shown parameters, as Python tells it."""
    with pytest.raises(TypeError, match="missing a required argument: 'order_id'"):
        bind(look_up)()
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'shop'"):
        bind(look_up)("1", shop=Shop("south"))


def test_all_kinds_of_parameters_pass() -> None:
    """Positional-only ones, variadic ones and keyword-only ones arrive where they were meant to."""

    def gather(first: int, shop: Shop, /, second: int = 2, *more: int, deep: bool = False, **rest: int) -> Any:
        return first, shop.name, second, more, deep, rest

    assert bind(gather)(1) == (1, "north", 2, (), False, {})
    assert bind(gather)(1, 3, 4, 5, deep=True, x=6) == (1, "north", 3, (4, 5), True, {"x": 6})


def test_a_function_without_such_a_parameter_is_itself() -> None:
    """Nothing stands between."""

    def ping() -> str:
        return "pong"

    assert bind(ping) is ping
