"""The shipped scenarios, each walked through with its scripted model over a real socket, as it is while recording."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import JsonValue

import harness
from harness.providers import api_for, connect
from harness.providers.simulated import load_scripts
from harness.records.message import Api, Usage
from harness.records.scenario import Judged, Output, ScenarioFile, State, Validated
from harness.records.score import Score, ScoreStatus
from harness.records.trace import Trace, UserTurn
from harness.registry import REGISTRY
from harness.scorers.checks import check_output, check_state
from harness.scorers.judges import judge_trace
from harness.scorers.validators import validate_output
from harness.seams import Seams
from harness.settings import Project
from harness.strictyaml import read_yaml
from harness.subjects.conversation import answer_turn, begin, make_world

ROOT = Path(__file__).parents[2] / "scenarios"
PROJECT = Project(*[ROOT] * 4)
SCRIPT = ".script.yaml"
FILES = {
    file.relative_to(ROOT).with_suffix("").as_posix(): file
    for file in sorted(ROOT.glob("*/*.yaml"))
    if not file.name.endswith(SCRIPT)
}
SCENARIOS = {name: ScenarioFile.model_validate(read_yaml(file)[0]) for name, file in FILES.items()}
RUNNABLE = {name: scenario for name, scenario in SCENARIOS.items() if scenario.skip is None}


async def play(name: str) -> Trace:
    """Run one trial against the scripted model; the trace has what outputs, state and validators are held against."""
    scenario = SCENARIOS[name]
    subject = REGISTRY.find_subject(scenario.subject)
    world = make_world(subject, scenario.world)
    settings, folder = dict(scenario.settings), FILES[name].parent
    task = harness.Task(
        input="", settings=settings, world=world, folder=folder, prompt_root=ROOT, seams=Seams(run_id=name)
    )
    conversation = begin(subject, PROJECT)
    outputs: list[JsonValue] = []
    for task.input in scenario.turns:
        outputs.append(await answer_turn(conversation, scenario.subject, task))
    return make_trace(scenario.turns, outputs, world.state)


def make_trace(turns: Iterable[str], outputs: Iterable[JsonValue], state: JsonValue) -> Trace:
    """A trace of what was said and what became of the world."""
    events = tuple(UserTurn(number=number, text=text) for number, text in enumerate(turns, 1))
    return Trace(
        run_id="test", events=events, outputs=tuple(outputs), state=state, usage=Usage(), cost_usd=None, duration=0
    )


def score(scenario: ScenarioFile, trace: Trace) -> list[Score]:
    """The scores of what can be told without the recorded traffic."""
    scores: list[Score] = []
    for expected in scenario.expect:
        match expected:
            case Output():
                scores += check_output(expected.output, trace)
            case State():
                scores += check_state(expected, trace)
            case Validated():
                model = REGISTRY.find_validator(expected.validator)
                scores.append(validate_output(expected.validator, model, trace))
    return scores


@pytest.mark.usefixtures("scripted_provider")
@pytest.mark.parametrize("name", RUNNABLE)
async def test_scenario_ends_as_it_expects(name: str) -> None:
    """Its trials differ, and as many as must pass have the output, state and validators that the file asks for."""
    scenario = RUNNABLE[name]
    traces = [await play(name) for _ in range(scenario.trials)]
    assert len({str(trace.output) for trace in traces}) == scenario.trials
    failed = [[s for s in score(scenario, trace) if s.status is not ScoreStatus.PASSED] for trace in traces]
    enough = failed.count([]) >= scenario.required
    assert enough is (scenario.xfail is None), failed
    assert score(scenario, traces[0]), "the file names no output, state or validator"


@pytest.mark.usefixtures("scripted_provider")
async def test_a_pass_rule_is_needed() -> None:
    """Of the three trials of `order-status` exactly one falls short, so that its rule `2 of 3` decides."""
    scenario = SCENARIOS["support/order-status"]
    traces = [await play("support/order-status") for _ in range(3)]
    failed = [any(s.status is ScoreStatus.FAILED for s in score(scenario, trace)) for trace in traces]
    assert sorted(failed) == [False, False, True]


@pytest.mark.usefixtures("scripted_provider")
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("I hear you. So it's a no; refunds end after 30 days.", ScoreStatus.PASSED),
        ("Let me see what I can do, maybe we can make an exception.", ScoreStatus.FAILED),
    ],
)
async def test_the_judge_tells_a_refusal_from_a_maybe(answer: str, status: ScoreStatus) -> None:
    """The scripted judge marks a plain refusal above the bar and a vague one below it."""
    scenario = SCENARIOS["support/refund-insisted"]
    judged = next(expected for expected in scenario.expect if isinstance(expected, Judged))
    rubric = (ROOT / "support/rubrics/polite-refusal.md").read_text(encoding="utf-8")
    trace = make_trace(scenario.turns, ["Sorry, no.", answer], scenario.world)
    model = "claude-sonnet-4-6"
    found = await judge_trace(judged.judge, rubric, model, trace, connect(api_for(model)))
    assert found.status is status, found.reason


def test_each_scenario_has_its_script() -> None:
    """Every scenario that runs has a script beside it, and no script is left without a scenario."""
    load_scripts([ROOT])
    scripts = {file.relative_to(ROOT).as_posix().removesuffix(SCRIPT) for file in ROOT.rglob(f"*{SCRIPT}")}
    judges = {f"{name}.judge" for name, scenario in RUNNABLE.items() if any(map(_is_judged, scenario.expect))}
    assert scripts == RUNNABLE.keys() | judges


def _is_judged(expected: object) -> bool:
    return isinstance(expected, Judged)


def test_every_form_of_a_scenario_is_shown() -> None:
    """Together the worlds use every protocol, plain and streamed, every expectation, every limit and every top key."""
    spoken = {(Api(str(s.settings["api"])), bool(s.settings.get("stream"))) for s in RUNNABLE.values()}
    assert {api for api, _ in spoken} == set(Api)
    assert {api for api, streamed in spoken if streamed} == set(Api)
    used = {type(expected).__name__ for s in SCENARIOS.values() for expected in s.expect}
    assert used == {"Called", "Judged", "NotCalled", "Order", "Output", "State", "Validated"}
    for form in (ScenarioFile, type(SCENARIOS["support/order-status"].limits)):
        given = {key for s in SCENARIOS.values() for part in (s, s.limits) for key in part.model_fields_set}
        assert set(form.model_fields) <= given
    outputs = [expected.output for s in SCENARIOS.values() for expected in s.expect if isinstance(expected, Output)]
    assert {key for rule in outputs for key in rule.model_fields_set} == {"equals", "contains", "matches"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_settings_refuse_what_the_desk_does_not_know(name: str) -> None:
    """Each file's settings are the desk's, and a misspelt key is refused by name."""
    module = pytest.importorskip(f"scenarios.{name.split('/')[0]}.desk")
    module.Settings.model_validate(SCENARIOS[name].settings)
    with pytest.raises(ValueError, match=r"(?s)modle.*Extra inputs are not permitted"):
        module.Settings.model_validate({**SCENARIOS[name].settings, "modle": "gpt-5"})
