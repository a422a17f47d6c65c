"""Recordings that were interrupted go on where they were, but where going on would be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cassettes import Journal, load_cassette
from harness.providers.simulated import running_provider
from harness.records.exchange import Cassette
from tests.crash.teller import keys, make
from tests.project import DESK, MiniProject
from tests.warm import Warm

VERDICT = "match: {system: You judge}\nrules:\n  - json: {mark: %s, reason: fine}\n"
STORED = """\
import harness
from openai import AsyncOpenAI


async def tell(task: harness.Task) -> str:
    client, last = AsyncOpenAI(max_retries=0), None
    for text in (task.input, "Go on"):
        reply = await client.responses.create(model="gpt-5-mini", input=text, previous_response_id=last)
        last = reply.id
    return reply.output_text
"""


def cut(file: Path, count: int) -> Cassette:
    """Put a journal of its first exchanges in the place of a recording; what it was."""
    cassette = load_cassette(file)
    journal = Journal(file.with_suffix(".journal"), cassette.metadata)
    journal.begin(cassette.exchanges[:count])
    journal.release()
    file.unlink()
    return cassette


@pytest.fixture
def judged(tmp_path: Path) -> MiniProject:
    """The desk with a rubric and a judge."""
    project = MiniProject(tmp_path).write(
        {**DESK, "scenarios/rubrics/polite.md": "Is it polite?\n", "judge.script.yaml": VERDICT % 5}
    )
    return project.edit("scenarios/status.yaml", "limits:", "  - judge: {rubric: polite, at_least: 4 of 5}\nlimits:")


def record(project: MiniProject, *arguments: str) -> int:
    """Record from the project's own scripts."""
    with running_provider([project.root / "status.script.yaml", project.root / "judge.script.yaml"]) as url:
        return project.record(url, *arguments).code


def test_a_judge_is_not_asked_twice(judged: MiniProject) -> None:
    """A verdict that had been given when its recording was interrupted is used: no provider is needed."""
    assert record(judged) == 0
    file = judged.root / "cassettes/status/default/1.judge-polite.yaml"
    verdict = cut(file, 1)
    done = judged.record("http://127.0.0.1:9", "--judges")
    assert done.code == 0, done.text
    assert load_cassette(file).exchanges == verdict.exchanges
    assert not file.with_suffix(".journal").exists()


def test_an_unusable_verdict_is_asked_anew(judged: MiniProject) -> None:
    """A verdict that nobody can use does not stand in the way of the next."""
    judged.write({"judge.script.yaml": VERDICT % 9})
    assert record(judged) == 4
    judged.write({"judge.script.yaml": VERDICT % 4})
    assert record(judged, "--judges") == 0
    assert judged.harness("run").code == 0


def test_a_stored_conversation_is_asked_from_the_start(tmp_path: Path, harness: Warm, url: str) -> None:
    """What the provider stores may be gone there, so nothing is built on it; what comes of it is whole."""
    folder = make(tmp_path / "teller")
    (folder / "teller.py").write_text(STORED)
    (folder / "tell.script.yaml").write_text("match: {user: Tell of}\nrules:\n  - say: Once upon a time.\n")
    with running_provider([folder / "tell.script.yaml"]) as own:
        assert harness.run(folder, "record", "scenarios/owl.yaml", **keys(own)).code == 0
        file = folder / "cassettes/owl/default/1.yaml"
        before = cut(file, 1)
        done = harness.run(folder, "record", "scenarios/owl.yaml", **keys(own))
    assert done.code == 0, done.text
    after = load_cassette(file)
    assert len(after.exchanges) == len(before.exchanges) == 2
    assert after.exchanges[0] != before.exchanges[0]
    assert not file.with_suffix(".journal").exists()
    assert harness.run(folder, "run", "scenarios/owl.yaml").code == 0


def test_an_edit_leaves_the_journal_at_the_first_difference(tmp_path: Path, harness: Warm, url: str) -> None:
    """What no longer fits what the agent asks is not used; the recording is that of the agent of today."""
    folder = make(tmp_path / "teller")
    assert harness.run(folder, "record", "scenarios/owl.yaml", **keys(url)).code == 0
    file = folder / "cassettes/owl/default/1.yaml"
    before = cut(file, 3)
    MiniProject(folder).edit("scenarios/owl.yaml", "the owl", "the old owl")
    assert harness.run(folder, "record", "scenarios/owl.yaml", **keys(url)).code == 0
    after = load_cassette(file)
    assert len(after.exchanges) == len(before.exchanges)
    assert all(b"the old owl" in exchange.request.body for exchange in after.exchanges)
