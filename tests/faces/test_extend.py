"""`harness run --mode extend`: recorded answers up to the first difference, live from there, kept beside the old."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from harness.records.comparison import Results
from harness.reporting.detail import build_details
from harness.reporting.standing import list_entries
from tests.project import DESK, Done, MiniProject

RECORDED = "cassettes/status/default/1.yaml"
WAITING = "cassettes/status/default/1.pending.yaml"
SECOND_CALL = """\
match: {user: Where is order 1042}
rules:
  - when: {tool: find_order}
    json: {status: shipped, days: 3}
"""
"""Answers only the call after the tool: a first call that goes out is an error."""


def extend(project: MiniProject, script: str | None = None, *arguments: str) -> Done:
    """Run in the mode, against a provider with that script; without one, against none at all."""
    if script is None:
        return _extend(project, "http://127.0.0.1:9", arguments)
    project.write({"other.script.yaml": script})
    with running_provider([project.root / "other.script.yaml"]) as url:
        return _extend(project, url, arguments)


def _extend(project: MiniProject, url: str, arguments: tuple[str, ...]) -> Done:
    keys = {"OPENAI_API_KEY": "simulated", "ANTHROPIC_API_KEY": "simulated"}
    urls = {"OPENAI_BASE_URL": f"{url}/v1", "ANTHROPIC_BASE_URL": url}
    return project.harness("run", "--mode", "extend", *arguments, **keys, **urls)


def blocks(project: MiniProject, file: str) -> list[str]:
    """The exchanges of a cassette, as they stand in the file."""
    return (project.root / file).read_text().rstrip().split("\n- request:")[1:]


@pytest.fixture
def edited(desk: MiniProject) -> MiniProject:
    """The desk with a tool that says more than it did, and an expectation that fits the new answer."""
    desk.edit(
        "desk.py", 'return world.state["orders"][order_id]', 'return {**world.state["orders"][order_id], "by": "van"}'
    )
    return desk.edit(
        "scenarios/status.yaml", "equals: {status: shipped, days: 2}", "equals: {status: shipped, days: 3}"
    )


def test_live_from_the_first_difference(edited: MiniProject) -> None:
    """The recording answers the first call, which keeps its lines; the second goes out; nothing accepted changes."""
    before = (edited.root / RECORDED).read_bytes()
    done = extend(edited, SECOND_CALL)
    assert done.code == 0, done.text
    assert "1 pending: harness accept, or harness reject" in done.out
    old, new = blocks(edited, RECORDED), blocks(edited, WAITING)
    assert len(new) == len(old) == 2
    assert new[0] == old[0]
    assert new[1] != old[1]
    assert (edited.root / RECORDED).read_bytes() == before
    assert edited.results()["comparison"]["cases"][0]["change"] == "unchanged"
    assert "other than accepted: conversation, answer" in done.out
    results = Results.model_validate_json((edited.root / "reports/latest/results.json").read_bytes())
    assert [detail.facts[-1] for detail in build_details(list_entries(results))] == ["pending recording"]


def test_accepted_in_one_act(edited: MiniProject) -> None:
    """`accept` makes the new recording and its results the state to beat; a plain run then passes."""
    assert extend(edited, SECOND_CALL).code == 0
    waiting = (edited.root / WAITING).read_bytes()
    accepted = edited.harness("accept", "--yes")
    assert accepted.code == 0, accepted.text
    assert (edited.root / RECORDED).read_bytes() == waiting
    assert not (edited.root / WAITING).exists()
    assert "pending" not in (edited.root / "cassettes/status/baseline.json").read_text()
    again = edited.harness("run")
    assert again.code == 0, again.text
    assert "pending" not in again.out
    assert edited.results()["comparison"]["cases"][0]["reason"] == ""


def test_rejected(edited: MiniProject) -> None:
    """`reject` drops the new recording, and everything is as it was before."""
    assert extend(edited, SECOND_CALL).code == 0
    rejected = edited.harness("reject", "--yes")
    assert rejected.code == 0, rejected.text
    assert WAITING in rejected.out
    assert not (edited.root / WAITING).exists()
    assert edited.harness("run").code == 1
    assert edited.harness("reject", "--yes").out == "no recording waits to be accepted\n"
    assert edited.harness("reject", "status").code == 2


def test_not_dropped_without_a_word(edited: MiniProject) -> None:
    """Where there is no terminal to ask on, `reject` wants `--yes`."""
    assert extend(edited, SECOND_CALL).code == 0
    refused = edited.harness("reject")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert (edited.root / WAITING).exists()


def test_a_second_time_nobody_is_asked(edited: MiniProject) -> None:
    """What waits answers, so that the same extension is not paid for twice; a plain run says that it waits."""
    assert extend(edited, SECOND_CALL).code == 0
    waiting = (edited.root / WAITING).read_bytes()
    assert extend(edited).code == 0
    assert (edited.root / WAITING).read_bytes() == waiting
    plain = edited.harness("run")
    assert plain.code == 1
    assert "1 pending: harness run --mode extend && harness accept, or harness reject" in plain.out


def test_nothing_waits_where_nothing_differs(desk: MiniProject) -> None:
    """An unchanged agent is replayed to its end, and nobody is asked."""
    assert extend(desk).code == 0
    assert not (desk.root / WAITING).exists()


def test_a_scenario_without_a_recording(desk: MiniProject) -> None:
    """It is recorded as a whole, beside where its recording will be."""
    (desk.root / RECORDED).unlink()
    assert extend(desk, (desk.root / "status.script.yaml").read_text()).code == 0
    assert len(blocks(desk, WAITING)) == 2
    assert desk.harness("accept", "--yes").code == 0
    assert desk.harness("run").code == 0


def test_an_agent_that_stops_earlier(desk: MiniProject) -> None:
    """It needs no provider: what it still asked for waits."""
    desk.edit(
        "desk.py",
        "        if not message.tool_calls:\n",
        "        if True:\n            return {}\n        if False:\n",
    )
    done = extend(desk)
    assert done.code == 1, done.text
    assert blocks(desk, WAITING) == blocks(desk, RECORDED)[:1]


def test_a_scenario_text_that_changes_no_request(desk: MiniProject) -> None:
    """The same exchanges wait under the new text: accepted, the scenario is stale no more."""
    desk.edit("scenarios/status.yaml", "  orders:", "  weather: fine\n  orders:")
    assert desk.harness("run").code == 3
    assert extend(desk).code == 0
    assert blocks(desk, WAITING) == blocks(desk, RECORDED)
    assert desk.harness("accept", "--yes").code == 0
    assert desk.harness("run").code == 0


def test_only_what_was_scored_is_accepted(edited: MiniProject) -> None:
    """A waiting recording that is no longer the one of the run is refused by name."""
    assert extend(edited, SECOND_CALL).code == 0
    baseline = (edited.root / "cassettes/status/baseline.json").read_bytes()
    (edited.root / WAITING).write_bytes((edited.root / RECORDED).read_bytes())
    refused = edited.harness("accept", "--yes")
    assert refused.code == 2, refused.text
    assert "is not what was scored" in refused.err
    assert (edited.root / "cassettes/status/baseline.json").read_bytes() == baseline


def test_results_name_no_other_files(edited: MiniProject) -> None:
    """Results that name a file elsewhere as a recording are refused."""
    assert extend(edited, SECOND_CALL).code == 0
    edited.edit("reports/latest/results.json", '"1.pending.yaml"', '"../../../1.pending.yaml"')
    refused = edited.harness("accept", "--yes")
    assert refused.code == 2
    assert "is no place of a recording" in refused.err


def test_a_provider_that_is_away(edited: MiniProject) -> None:
    """The trial is errored, and nothing is left behind."""
    done = extend(edited)
    assert done.code == 4, done.text
    assert sorted(file.name for file in (edited.root / "cassettes/status/default").iterdir()) == ["1.yaml"]


STORED = {
    "desk.py": """\
import harness
from openai import AsyncOpenAI
from pydantic import BaseModel


class Order(BaseModel):
    status: str


def find_order(world: harness.World, order_id: str) -> dict:
    return {}


async def answer(task: harness.Task) -> str:
    client = AsyncOpenAI(max_retries=0)
    last = task.memory.get("last")
    reply = await client.responses.create(model="gpt-5-mini", input=task.input, previous_response_id=last)
    task.memory["last"] = reply.id
    return reply.output_text
""",
    "scenarios/status.yaml": """\
description: The provider keeps the conversation.
subject: desk
conversation: [One, Two]
expect:
  - output: {contains: e}
""",
}


def test_a_conversation_that_the_provider_stores(tmp_path: Path) -> None:
    """It replays; to go on with it is refused with the reason, and nothing is sent."""
    script = "match: {user: One}\nrules:\n  - say: yes indeed\n"
    project = MiniProject(tmp_path).write({**DESK, **STORED, "status.script.yaml": script})
    with running_provider([project.root / "status.script.yaml"]) as url:
        assert project.record(url).code == 0
    assert project.harness("run").code == 0
    project.edit("scenarios/status.yaml", "[One, Two]", "[One, Three]")
    done = extend(project)
    assert done.code == 3, done.text
    assert "stored at the provider" in done.out
    assert "harness record scenarios/status.yaml" in done.out


def test_a_judge_is_asked_about_a_new_answer(edited: MiniProject) -> None:
    """Its verdict waits as well, and both are accepted together."""
    edited.write({"scenarios/rubrics/polite.md": "Is it polite?\n"})
    edited.edit("scenarios/status.yaml", "limits:", "  - judge: {rubric: polite, at_least: 4 of 5}\nlimits:")
    edited.write({"judge.script.yaml": "match: {system: You judge}\nrules:\n  - json: {mark: 5, reason: fine}\n"})
    edited.write({"other.script.yaml": SECOND_CALL})
    with running_provider([edited.root / "other.script.yaml", edited.root / "judge.script.yaml"]) as url:
        done = _extend(edited, url, ())
    assert done.code == 0, done.text
    assert "2 pending" in done.out
    assert extend(edited).code == 0
    assert edited.harness("accept", "--yes").code == 0
    names = sorted(file.name for file in (edited.root / "cassettes/status/default").iterdir())
    assert names == ["1.judge-polite.yaml", "1.yaml"]
    assert edited.harness("run").code == 0


def test_as_many_trials_as_were_asked_for(desk: MiniProject) -> None:
    """`--trials` records that many, every one is replayed, and a later recording keeps the number."""
    with running_provider([desk.root / "status.script.yaml"]) as url:
        assert desk.record(url, "--trials", "3").code == 0
        assert desk.harness("run", "-v").code == 0
        assert len(desk.results()["trials"]) == 3
        assert desk.pytest("scenarios").code == 0
        assert desk.record(url).code == 0
        more = _extend(desk, url, ("--trials", "4"))
    assert more.code == 0, more.text
    names = sorted(file.name for file in (desk.root / "cassettes/status/default").iterdir())
    assert names == ["1.yaml", "2.yaml", "3.yaml", "4.pending.yaml"]
    (desk.root / "cassettes/status/default/2.yaml").unlink()
    missing = desk.harness("run")
    assert missing.code == 3
    assert "trial 2 of 3 has no recording" in missing.out


def test_a_scenario_pins_its_trials(desk: MiniProject) -> None:
    """A number in the scenario holds, whatever is asked for."""
    desk.edit("scenarios/status.yaml", "expect:", "trials: 2\nexpect:")
    with running_provider([desk.root / "status.script.yaml"]) as url:
        assert desk.record(url, "--trials", "5").code == 0
    names = sorted(file.name for file in (desk.root / "cassettes/status/default").iterdir())
    assert names == ["1.yaml", "2.yaml"]


def test_an_unchanged_conversation_is_an_unchanged_file(desk: MiniProject) -> None:
    """To record the same answers again leaves the cassette byte for byte, times and date included."""
    before = (desk.root / RECORDED).read_bytes()
    with running_provider([desk.root / "status.script.yaml"]) as url:
        assert desk.record(url).code == 0
    assert (desk.root / RECORDED).read_bytes() == before
    changed = re.sub("days: 2", "days: 4", (desk.root / "status.script.yaml").read_text())
    desk.write({"status.script.yaml": changed})
    with running_provider([desk.root / "status.script.yaml"]) as url:
        assert desk.record(url).code == 0
    assert (desk.root / RECORDED).read_bytes() != before
