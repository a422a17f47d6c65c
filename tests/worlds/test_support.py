"""The support desk's tools and validator: what each does, and what each refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

import harness
from scenarios.support import desk

STATE: dict[str, Any] = {
    "today": "2026-03-31",
    "orders": {
        "1": {
            "customer": "Ada",
            "email": "ada@example.com",
            "address": "1 Old Road",
            "items": {"Jug": "20.00", "Bowl": "30.00"},
            "total": "50.00",
            "status": "delivered",
            "delivered": "2026-03-01",
        },
        "2": {
            "customer": "Ada",
            "email": "ada@example.com",
            "address": "1 Old Road",
            "items": {"Table": "400.00"},
            "total": "400.00",
            "status": "delivered",
            "delivered": "2026-03-20",
        },
        "3": {
            "customer": "Ben",
            "email": "ben@example.com",
            "address": "2 New Road",
            "items": {"Rug": "80.00"},
            "total": "80.00",
            "status": "packing",
        },
        "4": {
            "customer": "Ben",
            "email": "ben@example.com",
            "address": "2 New Road",
            "items": {"Vase": "25.00"},
            "total": "25.00",
            "status": "delivered",
            "delivered": "2026-02-28",
        },
    },
    "refunds": {},
    "replacements": [],
    "tickets": [],
}


@pytest.fixture
def world() -> harness.World:
    """A small shop."""
    return harness.World(STATE)


def test_find_order_tells_what_the_policy_needs(world: harness.World) -> None:
    """An order comes with its number, its age since delivery and what was refunded."""
    world.state["refunds"]["1"] = "20.00"
    found = desk.find_order(world, "1")
    assert (found["order_id"], found["days_since_delivery"], found["refunded"]) == ("1", 30, "20.00")
    assert "days_since_delivery" not in desk.find_order(world, "3")


def test_find_orders_lists_one_customers_orders(world: harness.World) -> None:
    """Orders are found by address in any case; a stranger has none."""
    assert [order["order_id"] for order in desk.find_orders(world, " Ada@Example.com")] == ["1", "2"]
    assert desk.find_orders(world, "eve@example.com") == []


def test_refund_is_booked(world: harness.World) -> None:
    """A part can be refunded on the last day of the window, then the rest."""
    assert desk.refund(world, "1", "20.00")["refunded_in_total"] == "20.00"
    assert desk.refund(world, "1", "30.00", "broken") == {
        "order_id": "1",
        "refunded_now": "30.00",
        "refunded_in_total": "50.00",
    }
    assert world.state["refunds"] == {"1": "50.00"}


@pytest.mark.parametrize(
    ("order_id", "amount", "refusal"),
    [
        ("1", "50.01", "50.00 of order 1 can still be refunded, not 50.01"),
        ("2", "250.01", "above 250.00 needs a colleague"),
        ("3", "80.00", "is packing; only delivered orders"),
        ("4", "25.00", "delivered 31 days ago; refunds end after 30 days"),
        ("9", "10.00", "no order 9"),
        ("1", "0.00", "is no amount"),
        ("1", "-5.00", "is no amount"),
        ("1", "5", "is no amount"),
        ("1", "5.005", "is no amount"),
    ],
)
def test_refund_keeps_the_policy(world: harness.World, order_id: str, amount: str, refusal: str) -> None:
    """What the policy forbids is refused with its reason, and nothing is booked."""
    with pytest.raises(harness.ToolError, match=refusal):
        desk.refund(world, order_id, amount)
    assert world.state == STATE


def test_refund_in_parts_stays_below_the_total(world: harness.World) -> None:
    """Refunds of one order add up to its total at most."""
    desk.refund(world, "1", "45.00")
    with pytest.raises(harness.ToolError, match=r"5\.00 of order 1 can still be refunded"):
        desk.refund(world, "1", "10.00")
    assert world.state["refunds"] == {"1": "45.00"}


def test_send_replacement_is_noted(world: harness.World) -> None:
    """A replacement goes to the order's address, and only for an order that exists."""
    assert desk.send_replacement(world, "1", "Lid")["ships_to"] == "1 Old Road"
    assert world.state["replacements"] == [{"order_id": "1", "item": "Lid"}]
    with pytest.raises(harness.ToolError, match="no order 9"):
        desk.send_replacement(world, "9", "Lid")


def test_change_address_until_the_parcel_left(world: harness.World) -> None:
    """The address changes while the order is being packed, and never after."""
    desk.change_address(world, "3", "5 Far Road")
    assert world.state["orders"]["3"]["address"] == "5 Far Road"
    with pytest.raises(harness.ToolError, match="order 1 is delivered; its address can't be changed"):
        desk.change_address(world, "1", "5 Far Road")
    assert world.state["orders"]["1"]["address"] == "1 Old Road"


def test_hand_over_opens_a_ticket(world: harness.World) -> None:
    """Tickets are numbered in order, and only for orders that exist."""
    assert [desk.hand_over(world, "2", "wants a person")["ticket"] for _ in range(2)] == ["T-001", "T-002"]
    with pytest.raises(harness.ToolError, match="no order 9"):
        desk.hand_over(world, "9", "wants a person")
    assert len(world.state["tickets"]) == 2


@pytest.mark.parametrize(
    "reply",
    [
        "All good!",
        "I refunded €20.00 for the jug, of 50.00 euros in all.",
        "Above EUR 250.00 a colleague decides, and your table was €400.",
        "Order 1042 came 31 days ago, in 2 parcels.",
    ],
)
def test_amounts_on_file_are_accepted(reply: str) -> None:
    """Amounts of orders, refunds and the policy may be named, and numbers that are no money."""
    desk.AmountsOnFile.model_validate(reply, context={"world": STATE})


@pytest.mark.parametrize(
    ("reply", "amount"), [("I refunded €21.00.", "21.00"), ("Take 5 euros off.", "5.00"), ("EUR 1,400.00!", "1400.00")]
)
def test_invented_amounts_are_refused(reply: str, amount: str) -> None:
    """An amount that nothing accounts for is named in the refusal."""
    with pytest.raises(ValidationError, match=f"the reply names {amount} euros"):
        desk.AmountsOnFile.model_validate(reply, context={"world": copy.deepcopy(STATE)})
