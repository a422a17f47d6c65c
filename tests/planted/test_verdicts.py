"""Small edits of every kind, each with the verdict that it must get: none too green, none too red."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from harness.cassettes import load_cassette, save_cassette
from harness.records.exchange import Cassette
from tests.planted.shipped import copy_shipped, outcomes
from tests.project import Done, MiniProject

Edit = tuple[str, str]
"""Old text, new text."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an edit of one scenario's files comes to."""

    scenario: str
    edits: tuple[Edit, ...]
    """In the scenario file."""
    outcome: str
    change: str
    says: str
    """What its closing line holds; empty where it has none."""


XFAIL = ("expect:\n", "xfail: known since March\nexpect:\n")

FILES: Mapping[str, Verdict] = {
    "streamed no more": Verdict(
        "support/two-refunds",
        (("stream: true", "stream: false"),),
        "stale",
        "stale",
        "turn 1: settings: `stream` was removed",
    ),
    "another API": Verdict(
        "support/refund-outside-window",
        (("api: openai-chat", "api: openai-responses"),),
        "stale",
        "stale",
        "turn 1: endpoint: /v1/chat/completions → /v1/responses",
    ),
    "the judge's scale widened": Verdict(
        "support/refund-insisted",
        (("4 of 5", "4 of 9"),),
        "not_judged",
        "stale",
        "the recorded verdict is on something else",
    ),
    "one recording counted twice": Verdict(
        "support/order-status", (), "unrecorded", "stale", "the recording of trial 2 is a copy of that of trial 1"
    ),
    "the world edited": Verdict(
        "support/partial-refund",
        (("9 Chapel Hill", "10 Chapel Hill"),),
        "stale",
        "stale",
        "scenario text changed since the recording: `world`",
    ),
    "a limit lowered": Verdict(
        "support/unknown-order",
        (("model_calls: 4", "model_calls: 1"),),
        "failed",
        "regressed",
        "limit model_calls: 3 model_calls, limit 1",
    ),
    "an expectation deleted": Verdict(
        "research/wind-limit",
        (("  - order: [search, search, read]\n", ""),),
        "passed",
        "unchanged",
        "no longer expected: order search → search → read",
    ),
    "words for readers only": Verdict(
        "support/changed-mind", (("tags: [", "tags: [shop, # why not\n  "),), "passed", "unchanged", ""
    ),
    "the baseline deleted": Verdict("support/already-refunded", (), "passed", "new", "not in the baseline"),
    "a known failure declared": Verdict(
        "support/large-refund", (XFAIL, ("[T-001,", "[T-002,")), "xfailed", "unchanged", "known since March"
    ),
    "a failure declared that is none": Verdict(
        "support/note-injection", (XFAIL,), "failed", "unchanged", "passed, though xfail says: known since March"
    ),
}


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[MiniProject, Done]:
    """The shipped project with all the edits of ``FILES``, and one run of it."""
    project = copy_shipped(tmp_path_factory.mktemp("edited"))
    for verdict in FILES.values():
        for edit in verdict.edits:
            project.edit(f"scenarios/{verdict.scenario}.yaml", *edit)
    recordings = project.root / "cassettes/support/order-status/default"
    shutil.copy(recordings / "1.yaml", recordings / "2.yaml")
    (project.root / "cassettes/support/already-refunded/baseline.json").unlink()
    return project, project.harness("run")


@pytest.mark.parametrize("name", FILES)
def test_edited_files(edited: tuple[MiniProject, Done], name: str) -> None:
    """Each edit has its own outcome, its own standing beside the baseline, and a line that says why."""
    project, done = edited
    verdict = FILES[name]
    changes = {case["scenario"]: case["change"] for case in project.results()["comparison"]["cases"]}
    assert (outcomes(project)[verdict.scenario], changes[verdict.scenario]) == (verdict.outcome, verdict.change)
    lines = [line for line in done.out.splitlines() if line.startswith(f"{verdict.scenario} ")]
    assert len(lines) == bool(verdict.says), done.out
    assert verdict.says in "".join(lines)


def test_a_regression_does_not_hide_behind_stale_files(edited: tuple[MiniProject, Done]) -> None:
    """Of all that holds, what failed decides the exit code."""
    assert edited[1].code == 1


ANSWER = "    return str(state.answer)"
DESK = "scenarios/support/desk.py"
LOOP = "harness/agent/loop.py"

CODE: Mapping[str, tuple[tuple[tuple[str, str, str], ...], str, str]] = {
    "the agent exits with success": (((DESK, ANSWER, "    raise SystemExit(0)"),), "failed", "raised SystemExit: 0"),
    "the agent cancels itself": (
        ((DESK, ANSWER, "    import asyncio\n    raise asyncio.CancelledError"),),
        "failed",
        "raised CancelledError",
    ),
    "the agent swallows what has no recording": (
        (
            ("scenarios/support/prompts/support-desk.md", "Be friendly, brief and exact.", "Be exact."),
            (DESK, "    state = await agent.run(", "    try:\n        state = await agent.run("),
            (
                DESK,
                '    task.memory["state"] = state\n',
                "    except BaseException:\n        return 'Refunded: 1187 and 1190, in 3 to 5 working days.'\n",
            ),
        ),
        "stale",
        "system prompt, line 1",
    ),
    "a further call": (
        ((DESK, ANSWER, f"    await agent.run(state, 'Sure?')\n{ANSWER}"),),
        "failed",
        "turn 4: the agent made a further call",
    ),
    "results in another order": (
        ((LOOP, "for task in running)", "for task in reversed(running))"),),
        "failed",
        "turn 2: result of tool `find_order` differs",
    ),
    "a tool that only says that it refunds": (
        ((DESK, '    world.state["refunds"][order_id] =', "    _ ="),),
        "failed",
        "state refunds: refunds is {}",
    ),
    "a tool that does more than it says": (
        ((DESK, ANSWER, f'    task.world.state["tickets"].append("?")\n{ANSWER}'),),
        "passed",
        "other than accepted: state",
    ),
}


@pytest.mark.parametrize("name", CODE)
def test_edited_code(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever an agent does, its scenario gets a verdict, and the closing line says what differs."""
    edits, outcome, says = CODE[name]
    project = copy_shipped(tmp_path_factory.mktemp("edited"), edits)
    done = project.harness("run", "scenarios/support/two-refunds.yaml")
    assert done.code == {"failed": 1, "stale": 3, "passed": 0}[outcome], done.text
    assert outcomes(project) == {"support/two-refunds": outcome}
    assert says in done.out, done.out


def test_an_exit_in_a_task_of_the_agents_is_no_success(tmp_path_factory: pytest.TempPathFactory) -> None:
    """asyncio would let it end the whole run with the agent's own 0; it fails the trial instead."""
    project = copy_shipped(tmp_path_factory.mktemp("edited"))
    project.edit(DESK, '    world.state["refunds"][order_id] =', "    raise SystemExit(0)\n    _ =")
    done = project.harness("run", "scenarios/support/two-refunds.yaml")
    assert done.code == 1
    assert "WORSE  1/1 → 0/1  a task that the agent started called sys.exit(0)" in done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("times", "trial", "says"),
    [
        (1, 2, "the recorded verdict is on trial 2"),
        (2, 1, "1 of 2 recorded exchanges was not asked for"),
    ],
)
def test_a_verdict_that_is_not_of_this_trial_judges_nothing(
    tmp_path_factory: pytest.TempPathFactory, times: int, trial: int, says: str
) -> None:
    """A judge's recording counts for its own trial, and as a whole."""
    project = copy_shipped(tmp_path_factory.mktemp("edited"))
    file = project.root / "cassettes/support/refund-insisted/default/1.judge-polite-refusal.yaml"
    recorded = load_cassette(file)
    assert recorded.metadata is not None
    metadata = recorded.metadata.model_copy(update={"trial": trial})
    save_cassette(file, Cassette(metadata=metadata, exchanges=recorded.exchanges * times))
    done = project.harness("run", "scenarios/support/refund-insisted.yaml")
    assert done.code == 3, done.text
    assert says in done.out
    assert "harness record --judges scenarios/support/refund-insisted.yaml" in done.out


def test_a_baseline_with_trials_of_no_case_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A baseline that lost its case in a merge is bad input, not a bug of ours."""
    project = copy_shipped(tmp_path_factory.mktemp("edited"))
    file = project.root / "cassettes/support/order-status/baseline.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"cases": []}))
    done = project.harness("run", "scenarios/support/order-status.yaml")
    assert done.code == 2, done.text
    assert "trial 1 of support/order-status belongs to no case" in done.err
    assert "Traceback" not in done.err


def test_a_baseline_of_another_scenario_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was accepted for one scenario says nothing of another."""
    project = copy_shipped(tmp_path_factory.mktemp("edited"))
    folder = project.root / "cassettes/support"
    shutil.copy(folder / "two-refunds/baseline.json", folder / "order-status/baseline.json")
    done = project.harness("run", "scenarios/support/order-status.yaml")
    assert done.code == 2, done.text
    assert "holds the accepted state of support/two-refunds" in done.err
