"""A subject's functions in the place of its agent's own: who gets to which, and what is left behind."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from harness.errors import CassetteMissError, RegistryError
from harness.records.mock import Mock
from harness.registry import Subject
from harness.subjects.conversation import make_world
from harness.subjects.replacing import check_replacements, replacing
from harness.subjects.task import World, acting_on, current_world

SHOP = '''
from enum import Enum

RATE = 2


def find(order_id: str) -> str:
    """Look up one order."""
    return f"real {order_id}"


async def fetch(order_id: str) -> str:
    return f"real {order_id}"


class Store:
    def get(self, order_id):
        return f"real {order_id}"

    @staticmethod
    def count(order_id):
        return f"real {order_id}"

    @classmethod
    def name(cls, order_id):
        return f"real {cls.__name__} {order_id}"


class Branch(Store):
    pass


class Sealed:
    __slots__ = ()

    def get(self, order_id):
        return f"real {order_id}"


store, sealed = Store(), Sealed()
'''


def find(order_id: str, world: World) -> str:
    """A function of the world."""
    return f"{world.state['name']} {order_id}"


async def fetch(world: World, order_id: str) -> str:
    """A coroutine function of the world."""
    return f"{world.state['name']} {order_id}"


def get(world: World, self: object, order_id: str) -> str:
    """A method, or a class method, of the world."""
    return f"{world.state['name']} {order_id}"


@pytest.fixture
def shop() -> Iterator[Any]:
    """A module of the agent's, made anew."""
    module: Any = ModuleType("a_shop")
    exec(SHOP, module.__dict__)
    sys.modules["a_shop"] = module
    yield module
    del sys.modules["a_shop"]


def subject(name: str = "desk", **places: Callable[..., Any]) -> Subject:
    """A subject that replaces places of the shop; two underscores stand for a dot."""
    return Subject(name, print, (), {f"a_shop.{place.replace('__', '.')}": each for place, each in places.items()})


def world_of(entry: Subject, name: str = "mine", **mocks: Any) -> World:
    """A world of that name."""
    return make_world(entry, {"name": name}, mocks)


PLACES = {
    "a function": ({"find": find}, lambda shop: shop.find("1")),
    "a coroutine function": ({"fetch": fetch}, lambda shop: asyncio.run(shop.fetch("1"))),
    "a coroutine function by a plain one": ({"fetch": find}, lambda shop: asyncio.run(shop.fetch("1"))),
    "a method": ({"Store__get": get}, lambda shop: shop.Store().get("1")),
    "a method of one object": ({"store__get": find}, lambda shop: shop.store.get("1")),
    "a static method": ({"Store__count": find}, lambda shop: shop.Store().count("1")),
    "a class method": ({"Store__name": get}, lambda shop: shop.Branch.name("1")),
    "an inherited method": ({"Branch__get": get}, lambda shop: shop.Branch().get("1")),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_is_called_depends_on_the_trial(shop: Any, case: str) -> None:
    """In a trial of the subject its function, in another's and outside the original; and nothing is left behind."""
    places, call = PLACES[case]
    entry = subject(**places)
    check_replacements(entry)
    before = {owner: dict(vars(owner)) for owner in (shop, shop.Store, shop.Branch, shop.store)}
    real = call(shop)
    with replacing([entry]):
        assert call(shop) == real
        with acting_on(world_of(entry)):
            assert call(shop) == "mine 1"
        with acting_on(world_of(subject("other"))):
            assert call(shop) == real
    assert {owner: dict(vars(owner)) for owner in before} == before


def test_trials_at_once_do_not_mix(shop: Any) -> None:
    """Fifty trials in one loop, in tasks and in threads: each gets to its own world."""
    entry = subject(find=find)

    async def trial(number: int) -> None:
        with acting_on(world_of(entry, f"world {number}")):
            for _ in range(3):
                await asyncio.sleep(0)
                assert shop.find("1") == f"world {number} 1"
                assert await asyncio.to_thread(shop.find, "1") == f"world {number} 1"
                assert current_world().state["name"] == f"world {number}"

    async def run() -> None:
        await asyncio.gather(*map(trial, range(50)))

    with replacing([entry]):
        asyncio.run(run())


def test_two_subjects_may_replace_one_place(shop: Any) -> None:
    """Each in its own trials."""
    first, second = subject("first", find=find), subject("second", find=lambda order_id: "second")
    with replacing([first, second]):
        with acting_on(world_of(first)):
            assert shop.find("1") == "mine 1"
        with acting_on(world_of(second)):
            assert shop.find("1") == "second"


def test_an_own_function_may_replace_itself_to_be_mocked(shop: Any) -> None:
    """What no mock answers, the agent's own function does."""
    entry = subject(find=shop.find)
    world = world_of(entry, find=(Mock(when={"order_id": "1"}, returns="mocked"),))
    with replacing([entry]), acting_on(world):
        assert (shop.find("1"), shop.find("2")) == ("mocked", "real 2")
    assert world.mocked == [("find", {"order_id": "1"})]


def test_it_passes_for_the_original(shop: Any) -> None:
    """A framework that inspects the place while trials run sees what it would see without us."""
    signature, real = inspect.signature(shop.find), shop.find
    with replacing([subject(find=find, fetch=fetch)]):
        assert inspect.signature(shop.find) == signature
        assert (shop.find.__name__, shop.find.__doc__) == ("find", "Look up one order.")
        assert inspect.iscoroutinefunction(shop.fetch)
        assert inspect.unwrap(shop.find) is real


def in_a_thread(function: Callable[[], object]) -> BaseException | None:
    """What a thread without its context raises."""
    caught: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the thread's result
            caught.append(error)

    thread = threading.Thread(target=lambda: contextvars.Context().run(run))
    thread.start()
    thread.join()
    return caught[0] if caught else None


def test_a_thread_without_context_does_not_reach_the_original(shop: Any) -> None:
    """While a trial is under way that replaces the place, it may come from there, so it is refused."""
    entry = subject(find=find)
    with replacing([entry]):
        with acting_on(world_of(entry)):
            error = in_a_thread(lambda: shop.find("1"))
            assert isinstance(error, CassetteMissError)
            assert "a_shop.find was called from a thread that belongs to no trial while one is under way" in str(error)
        with acting_on(world_of(subject("other"))):
            assert in_a_thread(lambda: shop.find("1")) is None
        assert in_a_thread(lambda: shop.find("1")) is None


def test_what_outlives_its_trial_reaches_nothing(shop: Any) -> None:
    """A task or thread that its trial left behind meets neither the world of that trial nor the original."""
    entry = subject(find=find)
    with replacing([entry]):
        with acting_on(world_of(entry)):
            left = contextvars.copy_context()
            assert left.run(shop.find, "1") == "mine 1"
        for call in (lambda: shop.find("1"), current_world):
            with pytest.raises(CassetteMissError, match="was called after its trial had ended; wait in the agent for"):
                left.run(call)
        assert shop.find("1") == "real 1"


def test_somebody_elses_replacement_stays(shop: Any) -> None:
    """Who replaced it after us puts back what they found, so theirs is left alone and leads on to the original."""
    with replacing([subject(find=find)]):
        ours = shop.find
        shop.find = lambda order_id: "theirs"
    assert shop.find("1") == "theirs"
    shop.find = ours
    assert shop.find("1") == "real 1"


BAD = {
    "find": ("can't replace 'find'; write where it is looked up, as in `my_company.tools.find`", find),
    "a_shp.find": ("can't replace 'a_shp.find': No module named 'a_shp'; write where the agent looks it up", find),
    "a_shop.fnd": ("can't replace 'a_shop.fnd': a_shop has no 'fnd'; did you mean 'find'?", find),
    "a_shop.zzz": ("can't replace 'a_shop.zzz': a_shop has no 'zzz'; write where the agent looks it up", find),
    "a_shop.RATE": ("can't replace 'a_shop.RATE': it is of type int, no function; replace its functions, or", find),
    "a_shop.find": ("a_shop.find is no coroutine function, so none can replace it; write `def`", fetch),
}


@pytest.mark.parametrize("place", BAD)
def test_a_place_that_is_no_function_is_told(shop: Any, place: str) -> None:
    """The message names the place, what is there instead and the nearest name."""
    words, function = BAD[place]
    with pytest.raises(RegistryError) as caught:
        check_replacements(Subject("desk", print, (), {place: function}))
    assert str(caught.value).startswith(words)


def test_a_place_that_can_not_be_set_is_told(shop: Any) -> None:
    """Nothing that was put before it stays."""
    before = dict(vars(shop))
    with (
        pytest.raises(RegistryError, match=r"can't replace 'a_shop.sealed.get'.*read-only; replace what it calls"),
        replacing([subject(find=find, sealed__get=find)]),
    ):
        pass
    assert vars(shop) == before


def test_two_functions_of_one_name_are_refused(shop: Any) -> None:
    """A mock would not know which one it stands for."""

    def other(order_id: str) -> str:
        return order_id

    other.__name__ = "find"
    with pytest.raises(RegistryError, match="two tools are named 'find'; rename one"):
        World({}, [find], replace={"a_shop.find": other})
    assert World({}, [find], replace={"a_shop.find": find}).mockable.keys() == {"find"}
