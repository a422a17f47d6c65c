"""The page on tools is true: each of its conftests runs with its scenario, recorded and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.docs.test_documents import ROOT, fences
from tests.project import MiniProject

PAGE = ROOT / "docs/tools.md"
CONFTESTS = dict(zip(("handed", "replaced", "beneath"), fences(PAGE, "python"), strict=True))
(SCENARIO,) = fences(PAGE, "yaml")

LOOP = '''\
import inspect
import json

from openai import AsyncOpenAI


async def run(text, tools):
    """An agent of the reader's own, over the bare SDK, that tries a failed tool again."""
    offered = [
        {"type": "function", "function": {"name": name, "parameters": schema_of(each)}} for name, each in tools.items()
    ]
    messages = [{"role": "user", "content": text}]
    client = AsyncOpenAI(max_retries=0)
    while True:
        reply = await client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=offered)
        message = reply.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            try:
                result = tools[call.function.name](**json.loads(call.function.arguments))
                content = str(await result if inspect.isawaitable(result) else result)
            except Exception as error:
                content = f"failed: {error}"
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})


def schema_of(function):
    names = list(inspect.signature(function).parameters)
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
'''

AGENTS = {
    "handed": "from my_company.loop import run as answer\n",
    "replaced": """\
from my_company.db import fetch
from my_company.db import pay as refund_payment
from my_company.loop import run


def find_order(order_id):
    return fetch(order_id)


async def pay(order_id):
    return refund_payment(order_id)


async def refund(order_id):
    return await pay(order_id)


async def answer(text):
    return await run(text, {"find_order": find_order, "refund": refund})
""",
    "beneath": """\
from my_company.db import store
from my_company.loop import run


def find_order(order_id):
    return store.find(order_id)


async def answer(text):
    return await run(text, {"find_order": find_order})
""",
}
DATABASE = """\
def fetch(order_id):
    raise RuntimeError("the real database was asked")


pay = fetch


class Store:
    find = staticmethod(fetch)


store = Store()
"""

SCRIPTS = {
    "refund": """\
match: {user: Refund order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order, result: delivered}
    call: [{tool: refund, arguments: {order_id: "1042"}}]
  - when: {tool: refund, result: the payment service is down}
    call: [{tool: refund, arguments: {order_id: "1042"}}]
  - when: {tool: refund, result: paid back}
    say: Order 1042 was paid back.
""",
    "find": """\
match: {user: Refund order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order, result: delivered}
    say: Order 1042 was delivered; it can be paid back.
""",
}


def scenario(way: str) -> str:
    """The page's scenario, as the way of its conftest can have it."""
    if way == "replaced":  # the agent's tool is called refund, and the function beneath it that is mocked, pay
        return SCENARIO.replace("mocks:\n  refund:", "mocks:\n  pay:")
    if way == "beneath":
        start, end = SCENARIO.index("mocks:"), SCENARIO.index("expect:")
        return SCENARIO[:start] + SCENARIO[end:].replace("called: refund\n    times: 2", "called: find_order")
    return SCENARIO


@pytest.mark.parametrize("way", CONFTESTS)
def test_the_conftest_works(tmp_path: Path, way: str) -> None:
    """Recorded and replayed, with the mocks answering where there are any, and the real data never met."""
    project = MiniProject(tmp_path).write(
        {
            "conftest.py": CONFTESTS[way],
            "scenarios/refund.yaml": scenario(way),
            "my_company/loop.py": LOOP,
            "my_company/agent.py": AGENTS[way],
            "my_company/db.py": DATABASE,
            "refund.script.yaml": SCRIPTS["find" if way == "beneath" else "refund"],
        }
    )
    with running_provider([tmp_path / "refund.script.yaml"]) as url:
        recorded = project.record(url)
    assert recorded.code == 0, recorded.text
    assert "now failed" not in recorded.text
    replayed = project.pytest()
    assert replayed.code == 0, replayed.text
    (trial,) = project.results()["trials"]
    calls = [event for event in trial["trace"]["events"] if event["kind"] == "tool_called"]
    marked = [call["name"] for call in calls if call.get("mocked")]
    assert marked == (["refund", "refund"] if way == "handed" else [])
