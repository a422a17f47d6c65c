"""What a scenario names must be there; what an author wrote is digested."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import BaseModel

from harness.errors import BadInputError
from harness.loading import check_references, digest, load_scenarios, read_rubric, text_digests
from harness.records.scenario import Case, Scenario
from harness.registry import Registry, Subject, command
from harness.settings import Project
from harness.subjects.task import World

TEXT = """\
description: d
subject: desk
input: hello
world: {b: 1, a: {d: 2, c: 3}}
expect:
  - validator: refund-answer
  - judge: {rubric: polite, at_least: 4 of 5}
"""


class Answer(BaseModel):
    """A structured answer."""

    text: str


@pytest.fixture
def scenario(project: Project) -> Scenario:
    """A scenario that names a subject, a validator and a rubric."""
    (project.scenarios / "support").mkdir()
    (project.scenarios / "support" / "x.yaml").write_text(TEXT)
    return load_scenarios(project)[0]


@pytest.fixture
def registry() -> Registry:
    """All that the scenario names."""
    registry = Registry()
    registry.add_subject(Subject("desk", print, ()))
    registry.add_validator("refund-answer", Answer)
    return registry


def write_rubric(project: Project, text: str = "Is it polite?") -> None:
    """The rubric, above the scenario."""
    (project.scenarios / "rubrics").mkdir(exist_ok=True)
    (project.scenarios / "rubrics" / "polite.md").write_text(text)


def test_nothing_is_missing(project: Project, scenario: Scenario, registry: Registry) -> None:
    """What is declared, written and set is no fault."""
    write_rubric(project)
    assert check_references(replace(project, judge_model="m"), [scenario], registry) == ()


def test_all_that_is_missing_at_its_place(project: Project, scenario: Scenario) -> None:
    """Each name that leads nowhere is told with its place and the nearest known one."""
    registry = Registry()
    registry.add_subject(Subject("desks", print, ()))
    registry.add_validator("refunds-answer", Answer)
    near = "is not registered in conftest.py; did you mean"
    assert [str(fault) for fault in check_references(project, [scenario], registry)] == [
        f"scenarios/support/x.yaml:2:10: subject 'desk' {near} 'desks'?",
        f"scenarios/support/x.yaml:6:16: validator 'refund-answer' {near} 'refunds-answer'?",
        "scenarios/support/x.yaml:7:21: rubrics/polite.md: no such file in scenarios/support or above it; write it",
        "scenarios/support/x.yaml:7:12: a judge needs a model; write `model:` here, or `judge_model` in [tool.harness]",
    ]


def test_a_rubric_outside_is_not_read(project: Project, scenario: Scenario, registry: Registry) -> None:
    """A rubric that is a link out of the scenarios folder is told where it is named."""
    write_rubric(project)
    (project.root / "secret.md").write_text("secret")
    (project.scenarios / "rubrics" / "polite.md").unlink()
    (project.scenarios / "rubrics" / "polite.md").symlink_to(project.root / "secret.md")
    (fault,) = check_references(replace(project, judge_model="m"), [scenario], registry)
    assert str(fault).startswith("scenarios/support/x.yaml:7:21: rubrics/polite.md: leads out of scenarios/ by a link")
    with pytest.raises(BadInputError, match="leads out of scenarios/ by a link"):
        read_rubric(project, scenario, "polite")


def test_the_nearest_rubric_is_read(project: Project, scenario: Scenario) -> None:
    """A rubric beside the scenario comes before one above."""
    write_rubric(project, "above")
    assert read_rubric(project, scenario, "polite") == "above"
    (project.scenarios / "support" / "rubrics").mkdir()
    (project.scenarios / "support" / "rubrics" / "polite.md").write_text("beside")
    assert read_rubric(project, scenario, "polite") == "beside"


def test_digests_follow_the_text_alone(scenario: Scenario) -> None:
    """The order of keys does not count; a value, its type and the words do."""
    before = text_digests(Case(scenario=scenario))
    assert set(before) == {"input", "world"}

    def after(**changes: object) -> dict[str, str]:
        return text_digests(Case(scenario=scenario.model_copy(update=changes)))

    assert after(world={"a": {"c": 3, "d": 2}, "b": 1}) == before
    assert after(input=None, conversation=("hello",)) == before
    assert after(world={"b": "1", "a": {"d": 2, "c": 3}})["world"] != before["world"]
    assert after(input="hello ")["input"] != before["input"]
    assert after(input=None, conversation=("hello", "there"))["input"] != before["input"]
    assert digest("a") == digest("a") != digest("b")


def test_a_tool_that_no_model_can_call(project: Project, scenario: Scenario, registry: Registry) -> None:
    """A subject with an untyped tool is told where it is named, before anything runs."""
    write_rubric(project)

    def find(number):  # type: ignore[no-untyped-def]
        return number

    registry.subjects["desk"] = Subject("desk", print, (find,))
    (fault,) = check_references(replace(project, judge_model="m"), [scenario], registry)
    assert str(fault) == ("scenarios/support/x.yaml:2:10: tool 'find': parameter 'number' has no type; annotate it")


def refund(world: World, order_id: str, amount: float) -> dict[str, str]:
    """Pay money back."""
    return {}


MOCKS = """\
mocks:
  refnd: {returns: {}}
  refund:
    - {when: {order: "1"}, returns: {}}
    - when:
        order_id: 1042
      raises: down
    - {returns: [paid]}
"""


def test_mocks_are_held_against_the_tools(project: Project, registry: Registry) -> None:
    """A tool, an argument or a value that the subject's tools don't know is told at its place, with the nearest."""
    (project.scenarios / "x.yaml").write_text(
        "description: d\nsubject: desk\ninput: hello\nlimits: {tokens: 1}\n" + MOCKS
    )
    registry.subjects["desk"] = Subject("desk", print, (refund,))
    words = {
        "6:3": "there is no tool 'refnd'; did you mean 'refund'?",
        "8:15": "tool 'refund' has no argument 'order'; did you mean 'order_id'?",
        "10:9": "tool 'refund' is never called with this order_id: Input should be a valid string, not 1042; write a",
        "12:8": "is no result of 'refund': Input should be an object, not ['paid']; write one that its type allows",
    }
    faults = [str(fault) for fault in check_references(project, load_scenarios(project), registry)]
    assert len(faults) == len(words)
    for fault, (place, what) in zip(faults, words.items(), strict=True):
        assert fault.startswith(f"scenarios/x.yaml:{place}: {what}")


def test_a_mock_that_stands_alone_has_its_place(project: Project, registry: Registry) -> None:
    """The short form without a list is found in the file as well."""
    mocks = "mocks:\n  refund:\n    returns: 1\n"
    (project.scenarios / "x.yaml").write_text(
        "description: d\nsubject: desk\ninput: hello\nlimits: {tokens: 1}\n" + mocks
    )
    registry.subjects["desk"] = Subject("desk", print, (refund,))
    (fault,) = check_references(project, load_scenarios(project), registry)
    assert str(fault).startswith("scenarios/x.yaml:7:5: is no result of 'refund': Input should be an object, not 1;")


def test_mocks_of_a_subject_without_tools(project: Project, registry: Registry) -> None:
    """There is nothing that they could stand for, and the message says how there would be."""
    (project.scenarios / "x.yaml").write_text(
        "description: d\nsubject: desk\ninput: hello\nlimits: {tokens: 1}\n" + MOCKS
    )
    faults = check_references(project, load_scenarios(project), registry)
    hint = "name them in `tools=` or `replace=` where it is registered"
    assert [str(fault) for fault in faults] == [f"scenarios/x.yaml:5:1: subject 'desk' has no tools to mock; {hint}"]


def test_mocks_of_a_program(project: Project) -> None:
    """A program's tools run in it, and the message says so."""
    (project.scenarios / "x.yaml").write_text(
        "description: d\nsubject: desk\ninput: hello\nlimits: {tokens: 1}\n" + MOCKS
    )
    registry = Registry()
    command("desk", ["python3", "desk.py"], registry=registry)
    (fault,) = check_references(project, load_scenarios(project), registry)
    what = "subject 'desk' is a program, whose tools run in it, where they can't be mocked; remove `mocks`"
    assert str(fault) == f"scenarios/x.yaml:5:1: {what}"


def test_a_place_that_can_not_be_replaced(project: Project, registry: Registry) -> None:
    """A dotted name that leads to no function is told where the subject is named, before anything runs."""
    (project.scenarios / "x.yaml").write_text("description: d\nsubject: desk\ninput: hello\nlimits: {tokens: 1}\n")
    registry.subjects["desk"] = Subject("desk", print, (), {"os.path.jion": refund})
    (fault,) = check_references(project, load_scenarios(project), registry)
    assert (
        str(fault) == "scenarios/x.yaml:2:10: can't replace 'os.path.jion': os.path has no 'jion'; did you mean 'join'?"
    )


def test_mocks_have_a_digest_where_there_are_any(scenario: Scenario) -> None:
    """What they mean counts, not how it is written; without them the digests are those of old recordings."""

    def after(**mocks: object) -> dict[str, str]:
        written = Scenario.model_validate({**scenario.model_dump(by_alias=True), "mocks": mocks})
        return text_digests(Case(scenario=written))

    assert after() == text_digests(Case(scenario=scenario))
    one = after(refund={"returns": {"a": 1, "b": 2}}, find={"raises": "x"})
    assert set(one) == {"input", "world", "mocks"}
    assert after(find=[{"raises": "x", "when": {}}], refund=[{"returns": {"b": 2, "a": 1}}]) == one
    assert after(refund={"returns": {"a": 1, "b": 2}}, find={"raises": "y"}) != one
    assert after(refund={"returns": None}) != after(refund={"returns": False}) != after(refund={"raises": "None"})
