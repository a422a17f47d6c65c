"""The support desk of a homeware shop: its tools, its refund policy, and the agent that answers customers.

The policy stands in the prompt, so that the agent can explain it, and is enforced here, so that nothing gets around it.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictBool, ValidationInfo, model_validator

import harness
from harness.providers import api_for, connect
from harness.records.message import Api

__all__ = [
    "AmountsOnFile",
    "Settings",
    "answer_customer",
    "change_address",
    "find_order",
    "find_orders",
    "hand_over",
    "refund",
    "send_replacement",
]

REFUND_DAYS = 30
"""Days after delivery in which money is given back."""

REFUND_LIMIT = Decimal("250.00")
"""Euros per refund that the desk may give without a person."""

_AMOUNT = re.compile(r"\d{1,6}\.\d{2}")
_AMOUNT_IN_TEXT = re.compile(r"(?:€\s?|EUR\s)(\d[\d,]*(?:\.\d+)?)|(\d[\d,]*(?:\.\d+)?)\s?(?:€|EUR\b|euros?\b)")

OrderId = Annotated[str, Field(description="The order's number as the customer gave it, digits only, such as 1042.")]


def find_order(world: harness.World, order_id: OrderId) -> dict[str, Any]:
    """Look up one order: its items, prices, status, delivery address, notes and what was refunded so far.

    Always do this before you say anything about an order or change it.
    """
    order = _order(world, order_id)
    details = {"order_id": order_id, **order, "refunded": world.state["refunds"].get(order_id, "0.00")}
    if "delivered" in order:
        details["days_since_delivery"] = _days_since_delivery(world, order)
    return details


def find_orders(
    world: harness.World,
    email: Annotated[str, Field(description="The customer's e-mail address.")],
) -> list[dict[str, str]]:
    """List a customer's orders by e-mail address. Use it when an order number is missing or unknown."""
    return [
        {"order_id": order_id, "status": order["status"], "total": order["total"]}
        for order_id, order in world.state["orders"].items()
        if order["email"] == email.strip().lower()
    ]


def refund(
    world: harness.World,
    order_id: OrderId,
    amount: Annotated[str, Field(description="Euros to give back, with two decimals, such as 24.50.")],
    reason: Annotated[str, Field(description="Why, in a few words, for the accounts department.")] = "",
) -> dict[str, str]:
    """Give money back for a delivered order, in whole or in part, to the card that paid for it.

    It can't be undone: use it only when the customer asked for the refund of this very order. It refuses what the
    refund policy forbids, and says why.
    """
    order = _order(world, order_id)
    euros = _read_amount(amount)
    _check_refund_policy(world, order_id, order, euros)
    refunded = Decimal(world.state["refunds"].get(order_id, "0.00")) + euros
    world.state["refunds"][order_id] = f"{refunded:.2f}"
    return {"order_id": order_id, "refunded_now": f"{euros:.2f}", "refunded_in_total": f"{refunded:.2f}"}


def send_replacement(
    world: harness.World,
    order_id: OrderId,
    item: Annotated[str, Field(description="The item or part to send, in the words of the order where possible.")],
) -> dict[str, str]:
    """Send a missing or broken item, or a part of it, once more and free of charge."""
    order = _order(world, order_id)
    world.state["replacements"].append({"order_id": order_id, "item": item})
    return {"order_id": order_id, "item": item, "ships_to": order["address"], "arrives_in": "2 to 3 working days"}


def change_address(
    world: harness.World,
    order_id: OrderId,
    address: Annotated[str, Field(description="The whole new address on one line: street, postcode, town.")],
) -> dict[str, str]:
    """Change where an order is delivered. Possible only until the parcel has left the warehouse."""
    order = _order(world, order_id)
    if order["status"] != "packing":
        raise harness.ToolError(f"order {order_id} is {order['status']}; its address can't be changed any more")
    order["address"] = address
    return {"order_id": order_id, "address": address}


def hand_over(
    world: harness.World,
    order_id: OrderId,
    summary: Annotated[str, Field(description="What the customer wants and what was done so far, in one sentence.")],
) -> dict[str, str]:
    """Hand the conversation to a colleague, who writes to the customer within one working day."""
    _order(world, order_id)
    tickets = world.state["tickets"]
    tickets.append({"order_id": order_id, "summary": summary})
    return {"ticket": f"T-{len(tickets):03}", "answered_within": "one working day"}


TOOLS = (find_order, find_orders, refund, send_replacement, change_address, hand_over)


class Settings(BaseModel):
    """What a scenario's ``settings`` may say to this desk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    api: Api | None = None
    """The wire protocol; without it, the one that is usual for the model."""
    prompt: str = "support-desk"
    stream: StrictBool = False


@harness.subject("support-desk", tools=TOOLS)
async def answer_customer(task: harness.Task) -> str:
    """Answer one message of a customer. The conversation is kept from turn to turn."""
    settings = Settings.model_validate(task.settings)
    agent = harness.Agent(
        client=connect(settings.api or api_for(settings.model)),
        model=settings.model,
        system=task.prompt(settings.prompt),
        tools=task.world.tools,
        seams=task.seams,
        stream=settings.stream,
    )
    state = await agent.run(task.memory.get("state", harness.AgentState()), task.input)
    task.memory["state"] = state
    return str(state.answer)


@harness.validator("amounts-on-file")
class AmountsOnFile(RootModel[str]):
    """A reply to a customer that names no amount of money but those of their orders and refunds, or of the policy."""

    @model_validator(mode="after")
    def _is_on_file(self, info: ValidationInfo[dict[str, Any]]) -> AmountsOnFile:
        known = _amounts_on_file(info.context["world"])
        for before, after in _AMOUNT_IN_TEXT.findall(self.root):
            amount = Decimal((before or after).replace(",", ""))
            if amount not in known:
                raise ValueError(f"the reply names {amount:.2f} euros, which no order, refund or rule accounts for")
        return self


def _order(world: harness.World, order_id: str) -> dict[str, Any]:
    orders: dict[str, dict[str, Any]] = world.state["orders"]
    if order_id not in orders:
        raise harness.ToolError(f"there is no order {order_id}; ask for the number, or use find_orders")
    return orders[order_id]


def _read_amount(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        raise harness.ToolError(f"{text!r} is no amount; write euros with two decimals, such as 24.50")
    return Decimal(text)


def _check_refund_policy(world: harness.World, order_id: str, order: dict[str, Any], euros: Decimal) -> None:
    if order["status"] != "delivered":
        raise harness.ToolError(f"order {order_id} is {order['status']}; only delivered orders are refunded")
    days = _days_since_delivery(world, order)
    if days > REFUND_DAYS:
        raise harness.ToolError(
            f"refused: order {order_id} was delivered {days} days ago; refunds end after {REFUND_DAYS} days"
        )
    if euros > REFUND_LIMIT:
        raise harness.ToolError(f"refused: a refund above {REFUND_LIMIT} needs a colleague; use hand_over")
    left = Decimal(order["total"]) - Decimal(world.state["refunds"].get(order_id, "0.00"))
    if euros > left:
        raise harness.ToolError(f"refused: {left:.2f} of order {order_id} can still be refunded, not {euros}")


def _days_since_delivery(world: harness.World, order: dict[str, Any]) -> int:
    return (dt.date.fromisoformat(world.state["today"]) - dt.date.fromisoformat(order["delivered"])).days


def _amounts_on_file(state: dict[str, Any]) -> set[Decimal]:
    texts = [str(REFUND_LIMIT), *state["refunds"].values()]
    for order in state["orders"].values():
        texts += [order["total"], *order["items"].values()]
    return {Decimal(text) for text in texts}
