"""The agent that the benchmarks measure: three model calls, two tool calls between them, over the bare OpenAI SDK.

It knows nothing of any tool that tests it. A benchmark copies this file into the project that it makes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI

__all__ = ["MODEL", "SYSTEM", "TOOLS", "answer", "find_order", "read_policy"]

MODEL = "gpt-4o-mini"
SYSTEM = "You are the support desk of a shop for household goods. Look up before you answer.\n" + "\n".join(
    f"{number}. {rule}"
    for number, rule in enumerate(
        (
            "Call find_order with the number that the customer gave before you say anything about an order.",
            "Call read_policy for the subject of the question before you promise anything: the policy decides.",
            "Never name an amount, a date or a carrier that neither the order nor the policy names.",
            "Where the policy refuses what the customer wants, say so in the first sentence, and then say why.",
            "Offer a replacement before you offer money, and offer money only in the currency of the order.",
            "Say what happens next and when, in working days, counted from the day of the question.",
            "Answer in the language of the customer, in at most five sentences, without any greeting.",
            "Never ask for what the order already tells, such as the address or the way of payment.",
        ),
        1,
    )
)


def find_order(order_id: str) -> dict[str, Any]:
    """Look up one order by its number: its items, its way so far and how it was paid."""
    items = [
        {
            "position": place,
            "name": f"Item {place} of {order_id}",
            "pieces": 1 + place % 3,
            "price": f"{place}.90",
        }
        for place in range(1, 13)
    ]
    steps = [
        {"at": f"2026-03-{day:02}T09:30:00Z", "place": f"depot {day}", "state": "scanned on the way to the customer"}
        for day in range(1, 15)
    ]
    return {"order_id": order_id, "status": "shipped", "carrier": "Red Van", "items": items, "steps": steps}


def read_policy(subject: str) -> dict[str, Any]:
    """Read what the shop's policy says on one subject, paragraph by paragraph."""
    paragraph = (
        "A parcel that has not arrived ten working days after it left our warehouse counts as lost; the customer then "
        "chooses between a replacement and the money, and we claim the loss from the carrier ourselves"
    )
    return {"subject": subject, "paragraphs": [f"§ {number}: {paragraph} ({subject})." for number in range(1, 14)]}


TOOLS: dict[str, tuple[Callable[..., dict[str, Any]], str]] = {
    "find_order": (find_order, "order_id"),
    "read_policy": (read_policy, "subject"),
}
_OFFERED: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": function.__doc__,
            "parameters": {
                "type": "object",
                "properties": {parameter: {"type": "string"}},
                "required": [parameter],
                "additionalProperties": False,
            },
        },
    }
    for name, (function, parameter) in TOOLS.items()
]


async def answer(client: AsyncOpenAI, question: str) -> str:
    """Ask the model until it answers, and call what it wants called."""
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    while True:
        reply = await client.chat.completions.create(model=MODEL, messages=messages, tools=_OFFERED)
        message = reply.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            function, _ = TOOLS[call.function.name]
            result = function(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})
