"""Trials and turns don't leak into each other, whatever an agent does to what it is given."""

from __future__ import annotations

from pathlib import Path

from tests.project import MiniProject

PROJECT = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": """\
import harness


@harness.subject("parrot")
def parrot(task: harness.Task) -> list:
    heard = task.settings["heard"]
    heard.append(task.input)
    return heard
""",
    "scenarios/echo.yaml": """\
description: An agent that changes its settings, and gives the same list out twice.
subject: parrot
settings: {heard: [Psst]}
conversation: [Hello, Bye]
trials: 2
expect:
  - output: {equals: [Psst, Hello, Bye]}
""",
}


def test_each_trial_starts_with_its_own_settings_and_each_answer_stays_as_it_was(tmp_path: Path) -> None:
    """A second trial finds the settings of the file; a later turn does not rewrite an earlier answer."""
    project = MiniProject(tmp_path).write(PROJECT)
    assert project.harness("record").code == 0
    done = project.harness("run")
    assert done.code == 0, done.text
    outputs = [trial["trace"]["outputs"] for trial in project.results()["trials"]]
    assert outputs == [[["Psst", "Hello"], ["Psst", "Hello", "Bye"]]] * 2
