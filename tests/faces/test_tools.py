"""A user's own tools act on the scenario's world: bound for a framework, and beneath an agent that is left as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.project import MiniProject

SHOP = {
    "pyproject.toml": "[tool.harness]\n",
    "shop/__init__.py": "",
    "shop/store.py": '''\
class Store:
    """The company's database."""

    def find(self, order_id):
        raise RuntimeError("the real database was asked")


store = Store()
''',
    "shop/agent.py": '''\
import asyncio
import contextvars
import json
from concurrent.futures import ThreadPoolExecutor

from openai import AsyncOpenAI, OpenAI

from shop.store import store


def find_order(order_id: str) -> str:
    """Look up one order."""
    return json.dumps(store.find(order_id))


TOOLS = {"find_order": find_order}
OFFERED = [{"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}]


def run(call, results):
    results.append(TOOLS[call.function.name](**json.loads(call.function.arguments)))
    return {"role": "tool", "tool_call_id": call.id, "content": results[-1]}


def ask(text):
    """Blocking, as a script would be."""
    client, messages, results = OpenAI(max_retries=0), [{"role": "user", "content": text}], []
    while True:
        reply = client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=OFFERED)
        message = reply.choices[0].message
        if not message.tool_calls:
            return f"{message.content} {results}"
        messages.append(message.model_dump(exclude_none=True))
        messages += [run(call, results) for call in message.tool_calls]


async def ask_async(text):
    """Its tools run in threads, as most frameworks do it."""
    client, messages, results = AsyncOpenAI(max_retries=0), [{"role": "user", "content": text}], []
    while True:
        reply = await client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=OFFERED)
        message = reply.choices[0].message
        if not message.tool_calls:
            return f"{message.content} {results}"
        messages.append(message.model_dump(exclude_none=True))
        messages += [await asyncio.to_thread(run, call, results) for call in message.tool_calls]


def ask_bare(text):
    """A thread whose work is torn out of its context."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.Context().run, find_order, "1").result()
''',
    "conftest.py": '''\
import harness
import shop.agent


class WorldStore:
    """The scenario's world in the place of the database."""

    def find(self, order_id):
        order = harness.current_world().state["orders"][order_id]
        order["asked"] = order.get("asked", 0) + 1
        return order


shop.agent.store = WorldStore()


@harness.subject("sync")
def sync(task: harness.Task) -> str:
    return shop.agent.ask(task.input)


@harness.subject("async")
async def asynchronous(task: harness.Task) -> str:
    return await shop.agent.ask_async(task.input)


@harness.subject("bare")
def bare(task: harness.Task) -> str:
    return shop.agent.ask_bare(task.input)
''',
}
"""An agent with tools of its own, left as it is; the conftest puts the world beneath it."""


def scenario(number: int, subject: str) -> dict[str, str]:
    """A scenario with a world of its own, and its script."""
    return {
        f"scenarios/order-{number}.yaml": f"""\
description: Order {number}.
subject: {subject}
input: Where is order {number}?
world: {{orders: {{"{number}": {{status: status {number}}}}}}}
expect:
  - output: {{contains: '"status": "status {number}"'}}
  - state: {{orders: {{"{number}": {{status: status {number}, asked: 1}}}}}}
""",
        f"order-{number}.script.yaml": f"""\
match: {{user: "order {number}?"}}
rules:
  - when: {{turn: 1}}
    call: [{{tool: find_order, arguments: {{order_id: "{number}"}}}}]
    slow: {{head_ms: 5}}
  - when: {{tool: find_order, result: "status {number}"}}
    say: Here it is.
""",
    }


@pytest.mark.parametrize("subject", ["sync", "async"])
def test_fifty_worlds_at_once_do_not_mix(tmp_path: Path, subject: str) -> None:
    """An unmodified agent's tools, in threads, act each on the world of their own trial: recorded at once, replayed."""
    project = MiniProject(tmp_path).write(SHOP)
    for number in range(1, 51):
        project.write(scenario(number, subject))
    with running_provider(sorted(tmp_path.glob("*.script.yaml"))) as url:
        recorded = project.record(url, "-j", "50")
    assert recorded.code == 0, recorded.text
    replayed = project.harness("run")
    assert replayed.code == 0, replayed.text
    assert "50 passed" in replayed.text


REPLACING = {
    **SHOP,
    "conftest.py": """\
import harness
import shop.agent


def find(world: harness.World, order_id: str) -> dict:
    order = world.state["orders"][order_id]
    order["asked"] = order.get("asked", 0) + 1
    return order


def declare(name, function):
    harness.subject(name, replace={"shop.agent.store.find": find})(lambda task: function(task.input))


declare("sync", shop.agent.ask)
declare("async", shop.agent.ask_async)
declare("bare", shop.agent.ask_bare)
""",
    "test_own.py": """\
import pytest
import shop.agent


def test_the_database():
    assert "find" not in vars(shop.agent.store)
    with pytest.raises(RuntimeError, match="the real database was asked"):
        shop.agent.find_order("1")
""",
}
"""The same agent; one function that it calls is replaced in its trials, and meant by the user's own tests."""


@pytest.mark.parametrize("subject", ["sync", "async"])
def test_a_replaced_function_acts_on_the_world_and_is_mocked(tmp_path: Path, subject: str) -> None:
    """Recorded at once and replayed by both doors; the project's own tests meet the original before and after."""
    project = MiniProject(tmp_path).write(REPLACING)
    for number in range(1, 6):
        project.write(scenario(number, subject))
    mocks = 'mocks: {find: {when: {order_id: "5"}, returns: {status: status 5, mocked: true}}}\nexpect:\n'
    project.edit("scenarios/order-5.yaml", "expect:\n", mocks).edit("scenarios/order-5.yaml", ", asked: 1", "")
    with running_provider(sorted(tmp_path.glob("*.script.yaml"))) as url:
        recorded = project.record(url, "-j", "5")
    assert recorded.code == 0, recorded.text
    assert "now failed" not in recorded.text
    assert project.harness("run").code == 0
    replayed = project.pytest("test_own.py", "scenarios", "test_own.py")
    assert replayed.code == 0, replayed.text
    assert "6 passed" in replayed.text
    assert '"mocked": true' in str(project.results()["trials"][-1]["trace"]["outputs"])


@pytest.mark.parametrize(
    ("files", "what"),
    [(SHOP, "harness.current_world()"), (REPLACING, "shop.agent.store.find")],
    ids=["own", "replaced"],
)
def test_a_thread_without_context_reaches_neither_world_nor_database(
    tmp_path: Path, files: dict[str, str], what: str
) -> None:
    """The trial fails with what was called and what to do, whatever the agent made of the error."""
    project = MiniProject(tmp_path).write({**files, **scenario(1, "bare")})
    with running_provider([tmp_path / "order-1.script.yaml"]) as url:
        done = project.record(url)
    assert f"{what} was called from a thread that belongs to no trial while one is under way" in done.text
    assert (
        "start the thread inside the trial, use a ThreadPoolExecutor, or run its work in contextvars.copy_context()"
        in done.text
    )
    assert "the real database was asked" not in done.text


def test_a_place_that_leads_nowhere_is_bad_input(tmp_path: Path) -> None:
    """Both doors tell the scenario's place, the dotted name and the nearest one; nothing runs."""
    project = MiniProject(tmp_path).write({**REPLACING, **scenario(1, "sync")})
    project.edit("conftest.py", "shop.agent.store.find", "shop.agent.store.fnd")
    for done in (project.harness("run"), project.pytest("scenarios")):
        assert done.code == 2, done.text
        words = "can't replace 'shop.agent.store.fnd': shop.agent.store has no 'fnd'; did you mean 'find'?"
        assert f"scenarios/order-1.yaml:2:10: {words}" in done.text
        assert "Traceback" not in done.text
