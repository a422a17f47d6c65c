"""docs/frameworks/langgraph.md, done: a graph with an agent inside as it is, recorded, replayed, broken."""

from __future__ import annotations

import re

from tests.frameworks.pages import after, replay, reported, seen, trials
from tests.project import MiniProject

SCRIPTS = {
    "parcel": """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1, user: Where}
    call:
      - {tool: find_order, arguments: {order_id: "1042"}}
      - {tool: days_in_transit, arguments: {carrier: Red Van}}
  - when: {tool: days_in_transit, result: "2"}
    json: {order_id: "1042", status: shipped, days: 2}
""",
    "parcel.topic": """\
match: {user: Where is order 1042, system: What is this about}
rules:
  - json: {topic: parcel}
""",
    "thanks": """\
match: {user: "order 1042!"}
rules:
  - say: You are welcome; order 1042 was a pleasure.
""",
    "thanks.topic": """\
match: {user: "order 1042!", system: What is this about}
rules:
  - json: {topic: other}
""",
}
REPORT = '''\
from langchain_core.callbacks import UsageMetadataCallbackHandler


class Usage(UsageMetadataCallbackHandler):
    """Also counts how often a model answered."""

    calls = 0

    def on_llm_end(self, response, **options):
        self.calls += 1
        super().on_llm_end(response, **options)


def reported(usage, state):
    """What LangChain says of a run: its usage, and the tool calls and results among its messages."""
    calls = {}
    for message in state["messages"]:
        for call in getattr(message, "tool_calls", ()):
            calls[call["id"]] = [call["name"], call["args"]]
        if message.type == "tool":
            calls[message.tool_call_id].append(message.content)
    return {
        "model_calls": usage.calls,
        "input_tokens": sum(each["input_tokens"] for each in usage.usage_metadata.values()),
        "output_tokens": sum(each["output_tokens"] for each in usage.usage_metadata.values()),
        "tool_calls": calls,
    }
'''
COUNT = '    usage = Usage()\n    config = {"callbacks": [usage]}\n'
KEEP = '    task.world.state["reported"] = reported(usage, state)\n'
CALL, STREAM = "desk.invoke(said, ", "desk.astream(said, "
TOLD = {
    "import harness\n": f"import harness\n{REPORT}",
    f"    state = {CALL}": f"{COUNT}    state = {CALL}config, ",
    '    return state["structured_response"]': f'{KEEP}    return state["structured_response"]',
    f"    async for state in {STREAM}": f"{COUNT}    async for state in {STREAM}config, ",
    '    return state["messages"]': f'{KEEP}    return state["messages"]',
}


def test_replays_are_equal(recorded: MiniProject) -> None:
    """Two replays and one by pytest write the same bytes."""
    first = (recorded.root / "first/results.json").read_bytes()
    assert replay(recorded, "second") == first
    assert replay(recorded, "third", by="pytest") == first


def test_the_trace_is_what_the_framework_reports(recorded: MiniProject) -> None:
    """Model calls, tokens, and each tool call with arguments and result: the wire tells what LangChain tells."""
    counts = set()
    for trial in trials(recorded, "first"):
        assert seen(trial) == reported(trial)
        counts.add(seen(trial)["model_calls"])
    assert counts == {2, 3}


def test_a_prompt_edit_is_stale_and_a_tool_edit_is_caught(desk: MiniProject) -> None:
    """A word of one agent's instructions, and its conversations are stale; another's tool has changed what it does."""
    prompt = ("desk.py", "Be brief and kind.", "Be brief.")
    tool = ("desk.py", 'runtime.context["carriers"][carrier]', 'runtime.context["carriers"][carrier] + 1')
    done = after(desk, prompt, tool)
    assert done.code == 1, done.text
    assert re.search(r"thanks-1 +stale +turn 2: system prompt, line 1", done.text)
    assert re.search(r"parcel-0 +failed +turn 3: result of tool `days_in_transit` differs", done.text)
    outcomes = {trial["scenario"]: trial["outcome"] for trial in trials(desk, "reports/latest")}
    assert outcomes == {"parcel-0": "failed", "thanks-1": "stale"}
