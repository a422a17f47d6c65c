"""The schema that editors use agrees with the loader."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from harness.errors import BadInputError
from harness.loading import load_scenario, scenario_schema
from harness.settings import Project

SCHEMA = scenario_schema()
GOOD: dict[str, Any] = {"description": "d", "subject": "desk", "input": "hello", "expect": [{"called": "f"}]}

BAD = {
    "unknown key": {"limts": {}},
    "missing key": {"description": ...},
    "key without value": {"skip": None},
    "no task": {"input": ...},
    "two tasks": {"conversation": ["a"]},
    "no turn": {"input": ..., "conversation": []},
    "nothing expected": {"expect": []},
    "no limit set": {"expect": [], "limits": {}},
    "number for text": {"input": 7},
    "text for number": {"trials": "3"},
    "boolean for number": {"trials": True},
    "too many trials": {"trials": 1001},
    "no name": {"subject": "../desk"},
    "text for a list": {"tags": "a"},
    "two expectations in one": {"expect": [{"called": "f", "not_called": "g"}]},
    "unknown expectation": {"expect": [{"calls": "f"}]},
    "expectation is no mapping": {"expect": ["f"]},
    "order of one": {"expect": [{"order": ["f"]}]},
    "empty rule": {"expect": [{"output": {}}]},
    "empty state": {"expect": [{"state": {}}]},
    "empty part of a path": {"expect": [{"state": {"a..b": 1}}]},
    "no times": {"expect": [{"called": "f", "times": 0}]},
    "marks in other words": {"expect": [{"judge": {"rubric": "r", "at_least": "most"}}]},
    "no rubric": {"expect": [{"judge": {"at_least": "4 of 5"}}]},
    "pass in other words": {"pass": "most"},
    "money as a number": {"limits": {"cost_usd": 0.02}},
    "money without decimals": {"limits": {"cost_usd": "2"}},
    "seconds as text": {"limits": {"seconds": "2"}},
    "mock that gives nothing": {"mocks": {"f": {"when": {}}}},
    "mock that gives two things": {"mocks": {"f": {"returns": 1, "raises": "x"}}},
    "no mock": {"mocks": {"f": []}},
    "mock of a tool without a name": {"mocks": {"": {"returns": 1}}},
    "mock that is no mapping": {"mocks": {"f": "down"}},
    "mock without words": {"mocks": {"f": {"raises": ""}}},
    "mock for no call": {"mocks": {"f": {"returns": 1, "times": 0}}},
    "unknown key of a mock": {"mocks": {"f": [{"return": 1}]}},
    "no time": {"limits": {"seconds": 0}},
}


def loads(project: Project, data: dict[str, Any]) -> bool:
    """Whether the loader takes the data; JSON is YAML."""
    file = project.scenarios / "x.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    try:
        load_scenario(project, file)
    except BadInputError:
        return False
    return True


def test_it_is_a_schema() -> None:
    """It is valid JSON Schema 2020-12, names itself, and can be written as a file."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"$id", "title", "description"} <= SCHEMA.keys()
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_key_is_described() -> None:
    """An editor shows what each key is for."""
    for name, field in SCHEMA["properties"].items():
        assert field.get("description"), name


def test_both_accept(project: Project) -> None:
    """A good file is good to both."""
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(GOOD)
    assert loads(project, GOOD)


@pytest.mark.parametrize("case", BAD)
def test_both_refuse(project: Project, case: str) -> None:
    """An editor marks what the loader would refuse."""
    data = {key: value for key, value in {**GOOD, **BAD[case]}.items() if value is not ...}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(data)
    assert not loads(project, data)
