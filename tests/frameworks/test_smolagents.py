"""docs/frameworks/smolagents.md, done: an agent that manages another as it is, recorded, replayed, broken."""

from __future__ import annotations

import re
from typing import Any

from tests.frameworks.pages import after, replay, reported, seen, trials
from tests.project import MiniProject

SCRIPTS = {
    "parcel": """\
match: {user: Where is order 1042, system: Leave questions about parcels}
rules:
  - when: {turn: 1}
    call: [{tool: parcels, arguments: {task: "Find out about order 1042!"}}]
  - call: [{tool: final_answer, arguments: {answer: {order_id: "1042", status: shipped, days: 2}}}]
""",
    "parcel.managed": """\
match: {user: Find out about order 1042}
rules:
  - when: {turn: 1}
    call:
      - {tool: find_order, arguments: {order_id: "1042"}}
      - {tool: days_in_transit, arguments: {carrier: Red Van}}
  - call: [{tool: final_answer, arguments: {answer: "It is shipped and takes 2 days."}}]
""",
}
REPORT = '''\


def reported(desk):
    """What smolagents says of a run: its agents' tokens, and the tool calls in their memories."""
    agents = [desk, *desk.managed_agents.values()]
    steps = [step for agent in agents for step in agent.memory.steps if getattr(step, "token_usage", None)]
    calls = [call for step in steps for call in step.tool_calls or ()]
    return {
        "model_calls": len(steps),
        "input_tokens": sum(step.token_usage.input_tokens for step in steps),
        "output_tokens": sum(step.token_usage.output_tokens for step in steps),
        "tool_calls": {call.id: [call.name, call.arguments, None] for call in calls},
    }
'''
TOLD = {
    "import harness\n": f"import harness\n{REPORT}",
    "    return answered": '    task.world.state["reported"] = reported(desk)\n    return answered',
}


def test_replays_are_equal(recorded: MiniProject) -> None:
    """Two replays and one by pytest write the same bytes."""
    first = (recorded.root / "first/results.json").read_bytes()
    assert replay(recorded, "second") == first
    assert replay(recorded, "third", by="pytest") == first


def test_the_trace_is_what_the_framework_reports(recorded: MiniProject) -> None:
    """Model calls, tokens, and each tool call with its arguments; results are words of the next request."""
    for trial in trials(recorded, "first"):
        assert seen(trial) == reported(trial)
        assert seen(trial)["model_calls"] == 4
        assert "shipped" in observed(trial)


def observed(trial: dict[str, Any]) -> str:
    """What the requests say that tools returned."""
    calls = [event for event in trial["trace"]["events"] if event["kind"] == "model_call"]
    texts = [message.get("text", "") for call in calls for message in call["sent"]]
    return "\n".join(text for text in texts if text.startswith("Observation:"))


def test_a_prompt_edit_is_stale(desk: MiniProject) -> None:
    """One word of an agent's instructions, and every conversation that it took part in is stale."""
    done = after(desk, ("desk.py", "both at once.", "both of them at once."))
    assert done.code == 3, done.text
    assert re.search(r"parcel-0 +stale +turn 2: system prompt, line", done.text)


def test_a_tool_edit_is_caught(desk: MiniProject) -> None:
    """A tool that returns something else has changed what the agent does."""
    done = after(desk, ("desk.py", 'self.shop["carriers"][carrier]', 'self.shop["carriers"][carrier] + 1'))
    assert done.code == 1, done.text
    assert "turn 3" in done.text
