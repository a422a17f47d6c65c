"""A judge's verdicts as a user meets them: recorded, missing, out of date, unreadable, unreachable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.project import MiniProject

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def judged(desk: MiniProject) -> MiniProject:
    """The desk with a rubric, and no verdict yet."""
    desk.write({"scenarios/rubrics/polite.md": "Is it polite?\n"})
    return desk.edit("scenarios/status.yaml", "limits:", "  - judge: {rubric: polite, at_least: 4 of 5}\nlimits:")


@contextmanager
def provider(desk: MiniProject, verdict: str) -> Iterator[str]:
    """A provider whose judge answers that."""
    desk.write({"judge.script.yaml": f"match: {{system: You judge}}\nrules:\n  - {verdict}\n"})
    with running_provider([desk.root / "status.script.yaml", desk.root / "judge.script.yaml"]) as url:
        yield url


def live(desk: MiniProject, url: str, judge: str) -> tuple[int, str]:
    """Run live, the judge somewhere else."""
    keys = {"OPENAI_API_KEY": "simulated", "ANTHROPIC_API_KEY": "simulated"}
    done = desk.harness("run", "--mode", "live", OPENAI_BASE_URL=f"{url}/v1", ANTHROPIC_BASE_URL=judge, **keys)
    return done.code, done.text


def test_recorded_apart(judged: MiniProject) -> None:
    """A missing verdict is recorded without the agent, and an edited rubric asks for a new one."""
    agent = (judged.root / "cassettes/status/default/1.yaml").read_bytes()
    missing = judged.harness("run")
    assert missing.code == 3
    assert "not judged" in missing.out
    assert "harness record --judges scenarios/status.yaml" in missing.out
    with provider(judged, "json: {mark: 5, reason: fine}") as url:
        assert judged.record(url, "--judges", "scenarios/status.yaml").code == 0
    assert (judged.root / "cassettes/status/default/1.yaml").read_bytes() == agent
    assert judged.harness("run").code == 0
    edited = judged.write({"scenarios/rubrics/polite.md": "Is it very polite?\n"}).harness("run")
    assert edited.code == 3
    assert "the rubric changed since the verdict was recorded" in edited.out


@pytest.mark.parametrize("verdict", ["say: it was nice", "json: {mark: 9, reason: great}"])
def test_unreadable_when_asked(judged: MiniProject, verdict: str) -> None:
    """A judge that is asked now and answers nonsense has failed: 4, and no verdict is kept."""
    with provider(judged, verdict) as url:
        code, text = live(judged, url, url)
        recorded = judged.record(url, "--judges")
    assert code == 4, text
    assert "judge polite" in text
    assert recorded.code == 4, recorded.text
    assert not (judged.root / "cassettes/status/default/1.judge-polite.yaml").exists()


def test_unreachable_when_asked(judged: MiniProject) -> None:
    """A judge that can't be reached is errored, not the agent's failure, and leaves no file."""
    with provider(judged, "json: {mark: 5, reason: fine}") as url:
        code, text = live(judged, url, NOWHERE)
        keys = {"OPENAI_API_KEY": "simulated", "ANTHROPIC_API_KEY": "simulated"}
        recorded = judged.harness("record", "--judges", ANTHROPIC_BASE_URL=NOWHERE, **keys)
    assert code == 4, text
    assert "the judge could not be asked" in text
    assert recorded.code == 4
    assert sorted(file.name for file in Path(judged.root / "cassettes/status/default").iterdir()) == ["1.yaml"]
