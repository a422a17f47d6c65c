"""`harness drift` says what differs from the recordings, why, and what mends it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.providers.simulated import running_provider
from tests.project import DESK, MiniProject

ROOT = Path(__file__).parents[2]
SECOND = """\
match: {user: Is order 7 late}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "7"}}]
  - when: {tool: find_order}
    json: {status: late, days: 9}
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> MiniProject:
    """Two scenarios of one subject, recorded."""
    root = tmp_path_factory.mktemp("drift")
    project = MiniProject(root).write(DESK).write({"late.script.yaml": SECOND})
    text = DESK["scenarios/status.yaml"]
    late = text.replace("Where is order 1042?", "Is order 7 late?").replace("1042", "7")
    late = late.replace("status: shipped, days: 2", "status: late, days: 9")
    project.write({"scenarios/late/first.yaml": late})
    with running_provider([root / "status.script.yaml", root / "late.script.yaml"]) as url:
        done = project.record(url)
        assert done.code == 0, done.text
    return project


@pytest.fixture
def project(recorded: MiniProject, tmp_path: Path) -> MiniProject:
    """A copy of it, to be changed."""
    shutil.copytree(recorded.root, tmp_path / "p")
    return MiniProject(tmp_path / "p")


def findings(project: MiniProject, *arguments: str, code: int) -> list[dict[str, Any]]:
    """What `harness drift --json` lists."""
    done = project.harness("drift", "--json", *arguments)
    assert done.code == code, done.text
    listed: list[dict[str, Any]] = json.loads(done.out)
    return listed


def bytes_of(project: MiniProject) -> dict[str, bytes]:
    """Every file of the project."""
    files = (file for file in project.root.rglob("*") if file.is_file())
    return {file.relative_to(project.root).as_posix(): file.read_bytes() for file in files}


def test_nothing_drifted(project: MiniProject) -> None:
    """What replays as it was recorded is no drift, and nothing is written."""
    before = bytes_of(project)
    done = project.harness("drift")
    assert (done.code, done.out) == (0, "2 cases replayed: no drift\n")
    assert findings(project, code=0) == []
    assert bytes_of(project) == before


def test_a_changed_prompt_is_one_cause(project: MiniProject) -> None:
    """A line of the prompt that two scenarios share is listed once, with the line, the cost and one command."""
    project.edit("desk.py", '"Answer in JSON."', '"Answer in JSON.\\nBe brief."')
    done = project.harness("drift")
    assert done.code == 3
    lines = done.out.splitlines()
    assert lines[0] == "system prompt of `desk`, line 2 was added: 2 scenarios"
    assert [line.split() for line in lines[1:3]] == [["1", "Answer", "in", "JSON."], ["+", "2", "Be", "brief."]]
    assert lines[3].split(", ") == ["  late/first", "status"]
    assert "about 4 requests" in lines[-2]
    assert "$0.0" in lines[-2]
    assert lines[-1] == "  harness record"
    listed = findings(project, code=3)
    assert [(each["scenario"], each["turn"], each["class"]) for each in listed] == [
        ("late/first", 1, "system prompt"),
        ("status", 1, "system prompt"),
    ]
    assert {each["cause"] for each in listed} == {"system prompt of `desk`, line 2 was added"}
    assert [each["command"] for each in listed] == [
        "harness record scenarios/late/first.yaml",
        "harness record scenarios/status.yaml",
    ]
    assert [(each["cost"]["requests"], each["unknown"]) for each in listed] == [(2, 1), (2, 1)]


def test_an_unknown_price_is_said(project: MiniProject) -> None:
    """A model without a price gives no amount."""
    for file in project.root.glob("cassettes/**/*.yaml"):
        other = file.read_text(encoding="utf-8").replace("gpt-5-mini", "own-model-")
        lines = [line for line in other.splitlines(keepends=True) if not line.startswith(("  digest:", "  exchanges:"))]
        file.write_text("".join(lines).replace("  harness: 1", "  tool: 1"), encoding="utf-8")
    assert {each["cost"]["usd"] for each in findings(project, code=3)} == {None}
    assert "unknown cost" in project.harness("drift").out


CREATE = "messages=messages, tools"
CLIENT = "AsyncOpenAI(max_retries=0"
FOUND = 'return world.state["orders"][order_id]'
WRAPPED = 'return {"found": world.state["orders"][order_id]}'
CALLS = "        messages.append(message.model_dump(exclude_none=True))"
CHANGES = {
    "model": ('model="gpt-5-mini"', 'model="gpt-5"', "model", 3, "model of `desk`: gpt-5-mini → gpt-5"),
    "tools": ("up one order", "up an order", "tools", 3, "tool `find_order` of `desk`: description changed"),
    "settings": (CREATE, f"seed=1, {CREATE}", "settings", 3, "settings of `desk`: `seed` was added"),
    "header": (
        CREATE,
        f'extra_headers={{"openai-beta": "x=1"}}, {CREATE}',
        "settings",
        3,
        "header openai-beta: none → x=1",
    ),
    "schema": (
        CREATE,
        f'response_format={{"type": "json_object"}}, {CREATE}',
        "output schema",
        3,
        "output schema of `desk`",
    ),
    "endpoint": (
        CLIENT,
        f'{CLIENT}, base_url="http://x/v2"',
        "endpoint",
        3,
        "endpoint of `desk`: /v1/chat/completions",
    ),
    "opening": ('"content": task.input', '"content": "Q: " + task.input', "opening", 3, "opening, message 1"),
    "conversation": (FOUND, WRAPPED, "conversation", 1, "result of tool `find_order` differs"),
    "unplayed": (CALLS, '        return {"status": "shipped"}', "unplayed", 1, "the agent stopped before call 2"),
    "raised": (CALLS, "        raise RuntimeError", "unplayed", 1, "1 of 2 recorded exchanges not played"),
}
"""What is edited in the agent's file; the class, the exit code and the cause that it gives."""


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_has_its_class(project: MiniProject, change: tuple[str, str, str, int, str]) -> None:
    """What was edited names the class, the turn and the exit code."""
    old, new, kind, code, cause = change
    project.edit("desk.py", old, new)
    (found,) = findings(project, "-k", "status", code=code)
    assert (found["scenario"], found["class"], found["trials"]) == ("status", kind, [1])
    assert cause in found["cause"]
    assert found["turn"] == (2 if code == 1 else 1)
    assert found["command"] == "harness record scenarios/status.yaml"


def test_changed_scenario_text(project: MiniProject) -> None:
    """What the user says differs from what was recorded: no call was made, and all of the recording is open."""
    project.edit("scenarios/status.yaml", "Where is order 1042?", "Where is order 1042 now?")
    (found,) = findings(project, code=3)
    assert (found["class"], found["turn"], found["unknown"]) == ("scenario text", 0, 2)
    assert "`input`" in found["cause"]


def test_an_unrecorded_scenario(project: MiniProject) -> None:
    """A trial without a recording is drift, of a cost that nothing tells."""
    project.edit("scenarios/status.yaml", "tags: [parcel]", "trials: 2")
    (found,) = findings(project, code=3)
    assert (found["class"], found["trials"], found["cost"]["requests"]) == ("unrecorded", [2], 4)
    shutil.rmtree(project.root / "cassettes/status")
    (found,) = findings(project, code=3)
    assert (found["class"], found["trials"], found["cost"]) == ("unrecorded", [1, 2], None)
    assert "to record anew, at unknown cost:" in project.harness("drift").out


def test_a_failing_score_is_no_drift(project: MiniProject) -> None:
    """Drift judges requests: an expectation that does not hold is the business of `harness run`."""
    project.edit("scenarios/status.yaml", "output: {equals: {status: shipped, days: 2}}", "output: {contains: lost}")
    assert project.harness("run").code == 1
    assert findings(project, code=0) == []


def test_changed_behaviour_that_is_expected_to_fail(project: MiniProject) -> None:
    """Under `xfail` a changed behaviour is shown and ends in 0, as it does in a run."""
    project.edit(
        "desk.py", 'return world.state["orders"][order_id]', 'return {"found": world.state["orders"][order_id]}'
    )
    project.edit("scenarios/status.yaml", "tags: [parcel]", "xfail: known")
    (found,) = findings(project, "-k", "status", code=0)
    assert found["class"] == "conversation"


def test_a_broken_cassette_is_bad_input(project: MiniProject) -> None:
    """A recording that can't be read is named with its line, and nothing is listed."""
    project.edit("cassettes/status/default/1.yaml", "version: 1", "version: 9")
    done = project.harness("drift", "--json")
    assert (done.code, done.out) == (2, "")
    assert "cassettes/status/default/1.yaml:1: " in done.err


def test_orphans_fail(project: MiniProject) -> None:
    """Recordings of no scenario, and of trials that none asks for, fail; judged from all files, not the selection."""
    (project.root / "scenarios/late/first.yaml").unlink()
    cassettes = project.root / "cassettes/status/default"
    for name in ("2.yaml", "1.judge-gone.yaml", "1.pending.yaml", "1.journal", ".1.yaml.x7"):
        shutil.copy(cassettes / "1.yaml", cassettes / name)
    (project.root / "cassettes/README.md").write_text("Hi", encoding="utf-8")
    (project.root / "cassettes/.gitattributes").write_text("*.yaml -diff", encoding="utf-8")
    project.edit("scenarios/status.yaml", "tags: [parcel]", "trials: 1")
    listed = findings(project, "scenarios/status.yaml", code=1)
    assert {(each["class"], each["file"], each["code"]) for each in listed} == {
        ("orphan", "cassettes/late/first", 1),
        ("surplus", "cassettes/status/default/2.yaml", 1),
        ("surplus", "cassettes/status/default/1.judge-gone.yaml", 1),
        ("pending", "cassettes/status/default/1.pending.yaml", 0),
        ("journal", "cassettes/status/default/1.journal", 0),
        ("foreign", "cassettes/status/default/.1.yaml.x7", 0),
        ("foreign", "cassettes/README.md", 0),
    }
    assert "orphan  cassettes/late/first: 1 file of `late/first`" in project.harness("drift").out


def test_a_whole_run_names_orphans(project: MiniProject) -> None:
    """`harness run` and pytest say so in a line of their own; a part of the scenarios says nothing of others."""
    shutil.copytree(project.root / "cassettes/status", project.root / "cassettes/gone")
    for done in (project.harness("run"), project.pytest("scenarios")):
        assert done.code == 0, done.text
        assert "cassettes/gone: 1 file of `gone`, and no scenario has that name" in done.out
    for done in (project.harness("run", "-k", "status"), project.pytest("scenarios/status.yaml")):
        assert "cassettes/gone" not in done.text


def test_old_recordings_are_named(project: MiniProject) -> None:
    """With `max_age_days` a recording that is older is reported, and fails nothing."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    file = project.root / "cassettes/status/default/1.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(f"recorded_at: '{day}", "recorded_at: '2025-01-01"))
    assert findings(project, code=0) == []
    project.write({"pyproject.toml": "[tool.harness]\nmax_age_days = 90\n"})
    (found,) = findings(project, code=0)
    assert (found["class"], found["scenario"]) == ("age", "status")
    assert found["cause"].startswith("1 of 1 recordings older than 90 days: the oldest is ")
    project.write({"pyproject.toml": "[tool.harness]\nmax_age_days = 0\n"})
    assert project.harness("drift").code == 2


def test_a_declared_rename_is_no_drift(project: MiniProject) -> None:
    """A tool of another name is drift until that is declared; then it replays. A rename that is not needed is named."""
    text = (project.root / "desk.py").read_text(encoding="utf-8").replace("find_order", "look_up")
    conftest = DESK["conftest.py"].replace("find_order", "look_up")
    project.write({"desk.py": text, "conftest.py": conftest})
    for name in ("status", "late/first"):
        project.edit(f"scenarios/{name}.yaml", "called: find_order", "called: look_up")
    assert {each["cause"] for each in findings(project, code=3)} == {
        "tool `find_order` of `desk` was renamed to `look_up`"
    }
    renames = '{tools = {find_order = "look_up"}, models = {"gpt-4" = "gpt-5"}}'
    project.write({"pyproject.toml": f'[tool.harness]\njudge_model = "claude-haiku-4-5"\nrenames = {renames}\n'})
    (idle,) = findings(project, code=0)
    assert (idle["class"], idle["scenario"]) == ("rename", "")
    assert "models: gpt-4 = gpt-5: no request that was replayed needed it" in idle["cause"]
    assert findings(project, "-k", "status", code=0) == []
    ran = project.harness("run")
    assert ran.code == 0, ran.text


def test_one_command_records_just_those(project: MiniProject) -> None:
    """It names a folder where all scenarios in it drifted, and files where only some did."""
    text = DESK["scenarios/status.yaml"]
    project.write({"scenarios/late/second.yaml": text, "scenarios/late/third.yaml": f"{text}skip: later\n"})
    for names, paths in (
        (("late/second",), "scenarios/late/second.yaml"),
        (("late/first", "late/second"), "scenarios/late"),
    ):
        for name in names:
            shutil.rmtree(project.root / "cassettes" / name, ignore_errors=True)
        assert project.harness("drift").out.splitlines()[-1] == f"  harness record {paths}"


@pytest.mark.parametrize(
    ("file", "old", "new", "cause"),
    [
        ("scenarios/support/rubrics/polite-refusal.md", "", "Mind the tone.\n", "the rubric changed"),
        ("pyproject.toml", "claude-haiku-4-5", "claude-haiku-5", "model: claude-haiku-4-5 → claude-haiku-5"),
    ],
)
def test_a_judge_drifts_by_itself(tmp_path: Path, file: str, old: str, new: str, cause: str) -> None:
    """A changed rubric or judge is drift of the verdict alone, and only the judge is to be asked anew."""
    for name in ("scenarios", "cassettes"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    project = MiniProject(tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    project.write({file: text.replace(old, new) if old else text + new})
    (found,) = findings(project, "-m", "judged", code=3)
    assert (found["class"], found["scenario"]) == ("judge", "support/refund-insisted")
    assert cause in found["cause"]
    assert found["command"] == "harness record --judges scenarios/support/refund-insisted.yaml"
    assert found["cost"]["requests"] == 1
