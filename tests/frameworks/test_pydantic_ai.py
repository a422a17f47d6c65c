"""docs/frameworks/pydantic-ai.md, done: agents of Pydantic AI as they are, recorded, replayed, broken."""

from __future__ import annotations

import re

from tests.frameworks.pages import after, replay, reported, seen, trials
from tests.project import MiniProject

THANKS = """\
match: {user: "order 1042!"}
rules:
  - when: {turn: 1, user: Thanks}
    call: [{tool: greet, arguments: {about: "Thank them for order 1042!"}}]
  - when: {tool: greet, result: You are welcome}
    say: You are so welcome; order 1042 was a pleasure.
  - when: {user: Thank them}
    say: You are welcome.
"""
SCRIPTS = {
    "parcel": """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1}
    call:
      - {tool: find_order, arguments: {order_id: "1042"}}
      - {tool: days_in_transit, arguments: {carrier: Red Van}}
  - when: {tool: days_in_transit, result: "2"}
    call: [{tool: final_result, arguments: {order_id: "1042", status: shipped, days: 2}}]
""",
    "thanks": THANKS.replace("match: {", "match: {model: claude-haiku-4-5, "),
    "thanks-streamed": THANKS,
}
REPORT = '''\


def reported(result):
    """What Pydantic AI says of a run: its usage, and the calls and returns among its messages."""
    calls = {}
    for message in result.all_messages():
        for part in message.parts:
            if part.part_kind == "tool-call":
                calls[part.tool_call_id] = [part.tool_name, part.args_as_dict(), None]
            elif part.part_kind == "tool-return" and part.tool_name != "final_result":  # which no model is told
                calls[part.tool_call_id][2] = part.model_response_str()
    return {
        "model_calls": result.usage.requests,
        "input_tokens": result.usage.input_tokens,
        "output_tokens": result.usage.output_tokens,
        "tool_calls": calls,
    }
'''
KEEP = '    task.world.state["reported"] = reported(result)\n'
TOLD = {
    "import harness\n": f"import harness\n{REPORT}",
    "await parcels.run(task.input, deps=task.world.state)\n": (
        f"await parcels.run(task.input, deps=task.world.state)\n{KEEP}"
    ),
    "desk.run_sync(task.input, deps=task.world.state)\n": f"desk.run_sync(task.input, deps=task.world.state)\n{KEEP}",
    "stream_text(delta=True)]\n": f"stream_text(delta=True)]\n{KEEP}",
}


def test_replays_are_equal(recorded: MiniProject) -> None:
    """Two replays and one by pytest write the same bytes."""
    first = (recorded.root / "first/results.json").read_bytes()
    assert replay(recorded, "second") == first
    assert replay(recorded, "third", by="pytest") == first


def test_the_trace_is_what_the_framework_reports(recorded: MiniProject) -> None:
    """Model calls, tokens, and each tool call with arguments and result: the wire tells what the messages tell."""
    for trial in trials(recorded, "first"):
        assert seen(trial) == reported(trial)
        assert seen(trial)["model_calls"] == (2 if trial["scenario"].startswith("parcel") else 3)


def test_a_prompt_edit_is_stale_and_a_tool_edit_is_caught(desk: MiniProject) -> None:
    """A word of one agent's instructions, and its conversations are stale; another's tool has changed what it does."""
    prompt = ("desk.py", "Be brief and kind.", "Be brief.")
    tool = ("desk.py", 'ctx.deps["carriers"][carrier]', 'ctx.deps["carriers"][carrier] + 1')
    done = after(desk, prompt, tool)
    assert done.code == 1, done.text
    assert re.search(r"thanks-1 +stale +turn 2: system prompt, line 1", done.text)
    assert re.search(r"parcel-0 +failed +turn 2: result of tool `days_in_transit` differs", done.text)
    outcomes = {trial["scenario"]: trial["outcome"] for trial in trials(desk, "reports/latest")}
    assert outcomes == {"parcel-0": "failed", "thanks-1": "stale", "thanks-streamed-2": "stale"}
