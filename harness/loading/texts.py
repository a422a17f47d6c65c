"""What an author wrote, and short digests of it to notice a change by."""

from __future__ import annotations

import hashlib
import json

from pydantic import JsonValue

from harness.records.scenario import Case, Scenario
from harness.settings import Project
from harness.subjects.texts import read_text

__all__ = ["digest", "read_rubric", "text_digests"]


def digest(value: JsonValue) -> str:
    """16 hexadecimal digits that depend on the value alone, not on the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def text_digests(case: Case) -> dict[str, str]:
    """Digests of the texts that a recording of the agent depends on.

    ``input`` (all user turns), ``world``, and ``mocks`` where there are any.
    """
    scenario = case.scenario
    digests = {"input": digest(list(scenario.turns)), "world": digest(scenario.world)}
    if scenario.mocks:
        digests["mocks"] = digest(
            {
                tool: [mock.model_dump(mode="json", exclude_defaults=True) for mock in each]
                for tool, each in scenario.mocks.items()
            }
        )
    return digests


def read_rubric(project: Project, scenario: Scenario, name: str) -> str:
    """The text of ``rubrics/NAME.md`` beside a scenario, or above it up to the scenarios folder.

    Raises :class:`BadInputError` where there is none.
    """
    folder = (project.root / scenario.source).parent
    return read_text("rubrics", name, folder=folder, root=project.scenarios)
