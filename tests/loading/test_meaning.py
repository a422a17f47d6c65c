"""What is written is what is loaded: YAML and JSON, plain words and numbers, and all that a scenario can say."""

from __future__ import annotations

import re
from collections import ChainMap
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.loading import load_scenario, scenario_schema
from harness.records.base import JsonObject
from harness.records.scenario import Scenario, ScenarioFile
from harness.settings import Project

HEAD = "description: d\nsubject: desk\ninput: hello\nlimits: {tokens: 1}\n"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
WORD = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
COUNTS = st.integers(1, 1000)
SECONDS = st.decimals("0.001", 100, places=3).map(float)
MONEY = st.decimals("0.01", 100, places=2).map(str)
RULES = st.fixed_dictionaries({}, optional={"equals": JSON, "contains": TEXT | st.lists(TEXT, min_size=1, max_size=3)})
PATHS = st.lists(WORD.map(lambda word: word.replace(".", "-")), min_size=1, max_size=3).map(".".join)
EXPECTATIONS = st.one_of(
    st.fixed_dictionaries({"output": RULES.filter(bool)}),
    st.just({"output": {"matches": r"\d{2} days?$"}}),
    st.fixed_dictionaries({"validator": WORD}),
    st.fixed_dictionaries({"called": TEXT}, optional={"arguments": OBJECTS, "times": COUNTS}),
    st.fixed_dictionaries({"called": TEXT, "exactly": OBJECTS}),
    st.fixed_dictionaries({"not_called": TEXT}),
    st.fixed_dictionaries({"order": st.lists(TEXT, min_size=2, max_size=3)}),
    st.fixed_dictionaries({"state": st.dictionaries(PATHS, JSON, min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {"judge": st.fixed_dictionaries({"rubric": WORD, "at_least": st.just("4 of 5")}, optional={"model": TEXT})}
    ),
)
MOCK = st.fixed_dictionaries({"returns": JSON}, optional={"times": COUNTS}) | st.fixed_dictionaries(
    {"raises": TEXT}, optional={"times": COUNTS}
)
LAST = st.fixed_dictionaries({"returns": JSON}) | st.fixed_dictionaries({"raises": TEXT, "when": OBJECTS})
SEVERAL = st.builds(lambda first, last: [{**each, "times": 1} for each in first] + [last], st.lists(MOCK), LAST)
MOCKS = st.dictionaries(TEXT, MOCK | SEVERAL, max_size=3)
LIMITS = st.fixed_dictionaries({"model_calls": COUNTS}, optional={"cost_usd": MONEY, "seconds": SECONDS})
TASKS = st.fixed_dictionaries({"input": TEXT}) | st.fixed_dictionaries(
    {"conversation": st.lists(TEXT, min_size=1, max_size=3)}
)
RUNS = st.sampled_from([{}, {"trials": 3}, {"trials": 3, "pass": "2 of 3"}, {"trials": 2, "pass": "all"}])
REST = st.fixed_dictionaries(
    {"description": TEXT, "subject": WORD, "expect": st.lists(EXPECTATIONS, min_size=1, max_size=3)},
    optional={
        "tags": st.lists(WORD, max_size=3),
        "settings": OBJECTS,
        "world": OBJECTS,
        "mocks": MOCKS,
        "limits": LIMITS,
        "skip": TEXT,
    },
)
SCENARIOS = st.builds(lambda *parts: dict(ChainMap(*parts)), REST, TASKS, RUNS)
UNREADABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
SCHEMA = jsonschema.Draft202012Validator(scenario_schema())


class Quoting(yaml.SafeDumper):
    """Quotes all text, as an author would who is not sure, and writes everything out."""

    def ignore_aliases(self, data: object) -> bool:
        """An object that occurs twice is written twice."""
        return True


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def load(project: Project, text: str) -> Scenario:
    """The scenario of a text."""
    file = project.scenarios / "x.yaml"
    file.write_bytes(text.encode())
    return load_scenario(project, file)


@given(data=SCENARIOS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_that_a_scenario_can_say(project: Project, data: JsonObject) -> None:
    """A valid scenario loads alike from YAML and from its record's JSON, and its schema accepts it."""
    expected = Scenario.model_validate({**data, "name": "x", "source": "scenarios/x.yaml"})
    for flow in (True, False):
        written = yaml.dump(data, Dumper=Quoting, default_flow_style=flow, sort_keys=False, allow_unicode=True)
        assert load(project, written) == expected
    SCHEMA.validate(data)
    dumped = ScenarioFile.model_validate(data).model_dump_json(by_alias=True, exclude_unset=True)
    assert load(project, UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", dumped)) == expected


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("~", None),
        ("null", None),
        ("", None),
        ("nULL", "nULL"),
        ("0", 0),
        ("-17", -17),
        ("+5", 5),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("1.50", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("9007199254740991", 2**53 - 1),
        ('"1042"', "1042"),
        ("'null'", "null"),
        ("|-\n    true", "true"),
        (">-\n    two\n    lines", "two lines"),
        ("[1, [2], {a: b}]", [1, [2], {"a": "b"}]),
        ("'<<'", "<<"),
    ],
)
def test_words_and_numbers(project: Project, written: str, value: Any) -> None:
    """Words mean what YAML 1.2's core schema says: dates, times and `yes` are text; what is quoted is text."""
    found = load(project, f"{HEAD}world:\n  key: {written}\n").world["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "written", ["007", "-007", "00", "9007199254740992", "9" * 5000, "0x" + "f" * 5000, "1e400", ".NaN"]
)
def test_numbers_that_readers_disagree_about(project: Project, written: str) -> None:
    """They are refused as numbers and fine as text."""
    with pytest.raises(Exception, match="quote it to mean text"):
        load(project, f"{HEAD}world: {{key: {written}}}\n")
    assert load(project, f"{HEAD}world: {{key: '{written}'}}\n").world == {"key": written}


def test_limits_are_exact(project: Project) -> None:
    """Money and seconds are decimals, as they were written."""
    text = HEAD.replace("{tokens: 1}", '{cost_usd: "0.10", seconds: 2.9}')
    limits = load(project, text).limits
    assert (limits.cost_usd, limits.seconds) == (Decimal("0.10"), Decimal("2.9"))


def test_a_byte_order_mark_and_any_line_ends(project: Project) -> None:
    """What editors on other systems write is the same scenario."""
    assert load(project, "\ufeff" + HEAD.replace("\n", "\r\n")) == load(project, HEAD)
