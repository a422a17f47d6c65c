"""docs/frameworks/bare-sdk.md, done: loops around the SDKs, in threads and tasks, recorded, replayed, broken."""

from __future__ import annotations

from tests.frameworks.pages import after, replay, reported, seen, trials
from tests.project import MiniProject

CALLS = """\
  - when: {turn: 1}
    call:
      - {tool: find_order, arguments: {order_id: "1042"}}
      - {tool: days_in_transit, arguments: {carrier: Red Van}}
  - when: {tool: days_in_transit, result: "2"}
    say: Your order 1042 arrives in 2 days.
"""
SCRIPTS = {
    "threads": f"match: {{user: Where is order 1042}}\nrules:\n{CALLS}",
    "tasks": f"match: {{user: Where is my order 1042}}\nrules:\n{CALLS}",
    "tasks.mini": """\
match: {user: "In five words: Your order 1042", model: gpt-5-mini}
rules:
  - say: 1042 comes in two days
    slow: {head_ms: 30}
""",
    "tasks.nano": """\
match: {user: "In five words: Your order 1042", model: gpt-5-nano}
rules:
  - say: 1042 is under way
""",
}
REPORT = '''\
import json


def reported(replies, messages):
    """What the SDKs' own objects say of a run."""
    usages = [reply.usage for reply in replies]
    calls = {}
    for message in messages:
        for call in message.get("tool_calls", ()):
            calls[call["id"]] = [call["function"]["name"], json.loads(call["function"]["arguments"])]
        for block in message["content"] if isinstance(message.get("content"), list) else ():
            if block["type"] == "tool_use":
                calls[block["id"]] = [block["name"], block["input"]]
            elif block["type"] == "tool_result":
                calls[block["tool_use_id"]].append(block["content"])
        if message["role"] == "tool":
            calls[message["tool_call_id"]].append(message["content"])
    return {
        "model_calls": len(replies),
        "input_tokens": sum(getattr(each, "prompt_tokens", 0) or each.input_tokens for each in usages),
        "output_tokens": sum(getattr(each, "completion_tokens", 0) or each.output_tokens for each in usages),
        "tool_calls": calls,
    }
'''
KEEP = '    task.world.state["reported"] = reported(replies, messages)\n'
TOLD = {
    "import harness\n": f"import harness\n{REPORT}",
    '    return messages[-1]["content"]': f'{KEEP}    return messages[-1]["content"]',
    "    return [reply.output_text": f"{KEEP}    return [reply.output_text",
}


def test_replays_are_equal(recorded: MiniProject) -> None:
    """Two replays and one by pytest write the same bytes."""
    first = (recorded.root / "first/results.json").read_bytes()
    assert replay(recorded, "second") == first
    assert replay(recorded, "third", by="pytest") == first


def test_the_trace_is_what_the_sdks_report(recorded: MiniProject) -> None:
    """Model calls, tokens, and each tool call with arguments and result: the wire tells what the SDKs' objects tell."""
    counts = set()
    for trial in trials(recorded, "first"):
        assert seen(trial) == reported(trial)
        counts.add(seen(trial)["model_calls"])
    assert counts == {2, 4}


def test_a_prompt_edit_is_stale(desk: MiniProject) -> None:
    """One word of the instructions, and every conversation is stale."""
    done = after(desk, ("blocking.py", "Then answer.", "Then answer briefly."))
    assert done.code == 3, done.text
    assert "turn 1: system prompt, line 1 (and 1 other)" in done.text


def test_a_tool_edit_is_caught(desk: MiniProject) -> None:
    """A tool that returns something else has changed what both agents do, in a pool and in a thread of a loop."""
    done = after(desk, ("blocking.py", 'return shop["carriers"]', 'return -shop["carriers"]'))
    assert done.code == 1, done.text
    assert [trial["outcome"] for trial in trials(desk, "reports/latest")] == ["failed", "failed"]
    assert [trial["mismatch"]["turn"] for trial in trials(desk, "reports/latest")] == [2, 2]
