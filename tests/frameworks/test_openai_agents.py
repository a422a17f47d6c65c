"""docs/frameworks/openai-agents.md, done: an agent of the OpenAI Agents SDK as it is, recorded, replayed, broken."""

from __future__ import annotations

import re

from tests.frameworks.pages import after, replay, reported, seen, trials
from tests.project import MiniProject

SCRIPTS = {
    "parcel": """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: transfer_to_parcels}]
  - when: {tool: transfer_to_parcels}
    call:
      - {tool: find_order, arguments: {order_id: "1042"}}
      - {tool: days_in_transit, arguments: {carrier: Red Van}}
  - when: {tool: days_in_transit, result: "2"}
    json: {order_id: "1042", status: shipped, days: 2}
""",
    "thanks": """\
match: {user: "order 1042!"}
rules:
  - when: {turn: 1, user: Thanks}
    call: [{tool: greet, arguments: {input: "Thank them for order 1042!"}}]
  - when: {tool: greet, result: You are welcome}
    say: You are so welcome; order 1042 was a pleasure.
  - when: {user: Thank them}
    say: You are welcome.
""",
}
REPORT = '''\


def reported(result):
    """What the SDK says of a run: its usage, and the calls and outputs among its items."""
    usage = result.context_wrapper.usage
    calls = {}
    for item in result.new_items:
        if item.type in ("tool_call_item", "handoff_call_item"):
            calls[item.raw_item.call_id] = [item.raw_item.name, json.loads(item.raw_item.arguments)]
        elif item.type in ("tool_call_output_item", "handoff_output_item"):
            calls[item.raw_item["call_id"]].append(item.raw_item["output"])
    return {
        "model_calls": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "tool_calls": calls,
    }
'''
RUN, STREAM = "context=task.world.state)\n    return", "        pass\n"
KEEP = '    task.world.state["reported"] = reported(result)\n'
TOLD = {
    "import harness\n": f"import json\n\nimport harness\n{REPORT}",
    RUN: RUN.replace("    return", f"{KEEP}    return"),
    STREAM: STREAM + KEEP,
}


def test_replays_are_equal(recorded: MiniProject) -> None:
    """Two replays and one by pytest write the same bytes."""
    first = (recorded.root / "first/results.json").read_bytes()
    assert replay(recorded, "second") == first
    assert replay(recorded, "third", by="pytest") == first


def test_the_trace_is_what_the_framework_reports(recorded: MiniProject) -> None:
    """Model calls, tokens, and each tool call with arguments and result: the wire tells what the SDK's objects tell."""
    for trial in trials(recorded, "first"):
        assert seen(trial) == reported(trial)
        assert seen(trial)["model_calls"] == 3


def test_a_handoff_and_an_agent_as_a_tool_are_told_apart(recorded: MiniProject) -> None:
    """Who took over the history is a handoff; whose words came back as a tool's result is a sub-agent of that tool."""
    for trial in trials(recorded, "first"):
        begun = [event for event in trial["trace"]["events"] if event["kind"] == "conversation"]
        role, tool = ("handoff", "") if trial["scenario"].startswith("parcel") else ("sub_agent", "greet")
        assert [(one["role"], one["parent"], one["tool"]) for one in begun] == [("main", None, ""), (role, 1, tool)]


def test_a_prompt_edit_is_stale_and_a_tool_edit_is_caught(desk: MiniProject) -> None:
    """A word of one agent's instructions, and its conversations are stale; another's tool has changed what it does."""
    prompt = ("desk.py", "Be brief and kind.", "Be brief.")
    tool = ("desk.py", 'context.context["carriers"][carrier]', 'context.context["carriers"][carrier] + 1')
    done = after(desk, prompt, tool)
    assert done.code == 1, done.text
    assert re.search(r"thanks-1 +stale +turn 2: system prompt, line 1", done.text)
    assert re.search(r"parcel-0 +failed +turn 3: result of tool `days_in_transit` differs", done.text)
    outcomes = {trial["scenario"]: trial["outcome"] for trial in trials(desk, "reports/latest")}
    assert outcomes == {"parcel-0": "failed", "thanks-1": "stale"}


def test_run_sync_replays_the_same(desk: MiniProject) -> None:
    """The same agent called from a thread, in an event loop of its own, asks the same.

    The SDK's telemetry, sent from another thread, harms no trial; that it was not sent is said once.
    """
    old = "async def answer(task: harness.Task) -> object:\n    result = await Runner.run(desk"
    new = "def answer(task: harness.Task) -> object:\n    result = Runner.run_sync(desk"
    done = after(desk, ("conftest.py", old, new))
    assert done.code == 0, done.text
    assert "2 passed" in done.out
    assert done.err.count("telemetry of OpenAI Agents SDK was not sent") == 1
    assert "Tracing" not in done.err
