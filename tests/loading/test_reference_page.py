"""The reference page is complete, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.loading import load_scenario
from harness.records.scenario import EXPECTATIONS, Limits, OutputRule, ScenarioFile, Verdict
from harness.settings import Project

PAGE = (Path(__file__).parents[2] / "docs" / "scenario-reference.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
KEYS = [field.alias or name for name, field in ScenarioFile.model_fields.items()]
INNER = sorted(
    {name for record in (Limits, OutputRule, Verdict, *EXPECTATIONS.values()) for name in record.model_fields}
    - set(EXPECTATIONS)
)


@pytest.mark.parametrize("key", [*KEYS, *EXPECTATIONS])
def test_every_key_has_its_section(key: str) -> None:
    """Whoever looks a key up finds it by its heading."""
    assert f"\n### `{key}`\n" in PAGE


@pytest.mark.parametrize("key", INNER)
def test_every_inner_key_has_its_row(key: str) -> None:
    """Keys of limits and expectations are explained in a table."""
    assert f"\n| `{key}` | " in PAGE


@pytest.mark.parametrize("key", [*KEYS, *EXPECTATIONS, *INNER])
def test_every_key_is_shown_in_an_example(key: str) -> None:
    """Each key is to be seen in use."""
    assert any(re.search(rf"(^|[\s{{]){key}:", example) for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_loads(project: Project, example: str) -> None:
    """What the page shows can be pasted."""
    file = project.scenarios / "x.yaml"
    file.write_text(example, encoding="utf-8")
    load_scenario(project, file)


def test_the_page_has_examples() -> None:
    """The examples are found at all."""
    assert len(EXAMPLES) > 8


@pytest.mark.parametrize("line", re.findall(r"^scenarios/.*?: (.*)$", PAGE, re.MULTILINE))
def test_the_messages_shown_are_true(project: Project, line: str) -> None:
    """The page shows messages as they are."""
    broken = EXAMPLES[0].replace("input:", "inptu:").replace('cost_usd: "0.02"', "cost_usd: 0.02")
    file = project.scenarios / "x.yaml"
    file.write_text(broken, encoding="utf-8")
    with pytest.raises(Exception, match=re.escape(line)):
        load_scenario(project, file)
