"""The page of what can be put under test: its examples are a project that works, its table is what a program finds."""

from __future__ import annotations

import re
from pathlib import Path

from harness.providers.simulated import running_provider
from harness.subjects import surroundings
from tests.docs.test_documents import ROOT, fences, rows
from tests.project import MiniProject

PAGE = ROOT / "docs/subjects.md"
SCRIPT = """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1}
    say: In Rome
  - when: {turn: 2}
    say: On Tuesday
"""


def test_the_examples_work(tmp_path: Path) -> None:
    """The page's class, program and server are recorded and replayed, each with the page's scenario."""
    python = fences(PAGE, "python")
    named = {match[1]: code for code in python if (match := re.match(r"# (\S+\.py)\n", code))}
    assert sorted(named) == ["conftest.py", "desk_api.py", "desk_cli.py"]
    (declared,) = (code for code in python if code not in named.values())
    (scenario,) = fences(PAGE, "yaml")
    counted = scenario + "  - state: {turns: 2}\n"
    project = MiniProject(tmp_path).write(
        {
            **named,
            "pyproject.toml": "[tool.harness]\n",
            "conftest.py": f"{named['conftest.py']}\n{declared}",
            "scenarios/talk.yaml": scenario,
            "scenarios/cli.yaml": counted.replace("subject: desk", "subject: desk-cli"),
            "scenarios/api.yaml": scenario.replace("subject: desk", "subject: desk-api"),
            "desk.script.yaml": SCRIPT,
        }
    )
    with running_provider([tmp_path / "desk.script.yaml"]) as url:
        recorded = project.record(url)
    assert recorded.code == 0, recorded.text
    replayed = project.pytest()
    assert replayed.code == 0, replayed.text
    assert [trial["outcome"] for trial in project.results()["trials"]] == ["passed"] * 3


def test_every_variable_is_in_the_table() -> None:
    """The page names what a program finds in its environment, no more and no fewer."""
    shown = {cell.strip("`") for cell, _ in rows(PAGE, "variable")}
    source = Path(surroundings.__file__).read_text(encoding="utf-8")
    assert shown == set(re.findall(r'"(HARNESS_\w+)":', source))
