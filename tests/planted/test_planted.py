"""Regressions planted in the shipped worlds: each must turn exactly its own scenarios, and say what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.planted.shipped import ROOT, copy_shipped, outcomes
from tests.project import MiniProject

SUPPORT = "support/"
RESEARCH = "research/"


@dataclass(frozen=True, slots=True)
class Planted:
    """One edit of the size of a commit, and what it must do."""

    edits: tuple[tuple[str, str, str], ...]
    """File, old text, new text."""
    outcome: str
    turns: tuple[str, ...]
    """The scenarios, or with a trailing slash all of a world, that change their outcome."""
    says: tuple[str, ...]
    """What the closing lines must hold."""


PLANTED: Mapping[str, Planted] = {
    "a prompt line changed": Planted(
        (("scenarios/support/prompts/support-desk.md", "Be friendly, brief and exact.", "Be brief and exact."),),
        "stale",
        (SUPPORT,),
        ("turn 1: ", "system prompt", "line 1"),
    ),
    "a tool renamed": Planted(
        (
            ("scenarios/research/desk.py", "def read(\n", "def open_document(\n"),
            ("scenarios/research/desk.py", "TOOLS = (search, read)", "TOOLS = (search, open_document)"),
        ),
        "stale",
        (RESEARCH,),
        ("turn 1: ", "`read`", "`open_document`"),
    ),
    "a tool parameter made required": Planted(
        (("scenarios/support/desk.py", 'accounts department.")] = "",', 'accounts department.")],'),),
        "stale",
        (SUPPORT,),
        ("turn 1: ", "tool `refund`", "parameter `reason`", "required"),
    ),
    "a tool whose result changed": Planted(
        (("scenarios/support/desk.py", '"2 to 3 working days"', '"4 to 6 working days"'),),
        "failed",
        ("support/changed-mind",),
        ("turn 4: ", "send_replacement", "2 to 3 working", "4 to 6 working"),
    ),
    "a validator tightened": Planted(
        (
            (
                "scenarios/research/desk.py",
                "        if not self.declined:\n",
                (
                    '        if len(self.citations) > 1:\n            raise ValueError("one citation is enough")\n'
                    "        if not self.declined:\n"
                ),
            ),
        ),
        "failed",
        (
            "research/harbour-fee",
            "research/lantern-room-legacy",
            "research/last-winter-ferry",
            "research/older-landmark",
        ),
        ("turn 3: validator cited-answer: ", "turn 5: validator cited-answer: ", "one citation is enough"),
    ),
    "a policy check removed from a tool": Planted(
        (("scenarios/support/desk.py", "    if days > REFUND_DAYS:\n", "    if days > REFUND_DAYS * 100:\n"),),
        "failed",
        ("support/refund-insisted",),
        ("turn 4: ", "refund", "refunds end after 30 days", "refunded_now"),
    ),
    "the model's name changed": Planted(
        (("scenarios/support/two-refunds.yaml", "model: gpt-4.1-mini", "model: gpt-4.1"),),
        "stale",
        ("support/two-refunds",),
        ("turn 1: ", "model", "gpt-4.1-mini"),
    ),
    "the agent no longer passes a tool's error back": Planted(
        (
            (
                "harness/agent/loop.py",
                "content=outcome.content, is_error=outcome.is_error)",
                'content="" if outcome.is_error else outcome.content)',
            ),
        ),
        "failed",
        (
            "support/already-refunded",
            "support/order-system-down",
            "support/refund-insisted",
            "support/unknown-order",
        ),
        ("turn 2: ", "the order system does not answer", "refunds end after 30 days"),
    ),
    "an input edited": Planted(
        (("scenarios/support/two-refunds.yaml", "the vase is lovely", "the vase is very lovely"),),
        "stale",
        ("support/two-refunds",),
        ("scenario text changed", "`input`"),
    ),
}

NO_CHANGE: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "tools reordered in the source": (
        (
            "scenarios/support/desk.py",
            "TOOLS = (find_order, find_orders, refund,",
            "TOOLS = (refund, find_orders, find_order,",
        ),
    ),
    "another log text": (("harness/agent/loop.py", '"model call %d: %s, %d tool calls"', '"call %d gave %s and %d"'),),
}


@pytest.fixture
def shipped(tmp_path: Path) -> MiniProject:
    """A copy of the shipped project that a test may break."""
    return copy_shipped(tmp_path)


def sound() -> dict[str, str]:
    """What the shipped scenarios come to as they are."""
    special = {"support/damage-photo": "skipped", "support/customers-language": "xfailed"}
    files = (file for file in (ROOT / "scenarios").rglob("*.yaml") if not file.stem.endswith(".script"))
    names = (file.relative_to(ROOT / "scenarios").with_suffix("").as_posix() for file in files)
    return {name: special.get(name, "passed") for name in names}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_regression_is_caught(tmp_path: Path, name: str) -> None:
    """The edit turns exactly its own scenarios, with the code, the turn, the cause and the command."""
    planted = PLANTED[name]
    shipped = copy_shipped(tmp_path, planted.edits)
    done = shipped.harness("run")
    expected = {
        scenario: planted.outcome if scenario.startswith(planted.turns) and before != "skipped" else before
        for scenario, before in sound().items()
    }
    assert outcomes(shipped) == expected, done.text
    assert done.code == {"stale": 3, "failed": 1}[planted.outcome], done.text
    turned = [scenario for scenario, outcome in expected.items() if outcome == planted.outcome]
    for word in planted.says:
        assert word in done.out, done.out
    commands = " ".join(line.strip() for line in done.out.splitlines() if line.strip().startswith("harness record"))
    for scenario in turned:
        assert scenario in done.out
        assert (f"scenarios/{scenario}.yaml" in commands) == (planted.outcome == "stale")


@pytest.mark.parametrize("name", NO_CHANGE)
def test_what_is_no_change_stays_green(tmp_path: Path, name: str) -> None:
    """An edit that no model and no user can notice turns nothing."""
    shipped = copy_shipped(tmp_path, NO_CHANGE[name])
    done = shipped.harness("run")
    assert (done.code, outcomes(shipped)) == (0, sound()), done.text


def test_a_worse_answer_stays_a_regression_after_recording(shipped: MiniProject) -> None:
    """Recording makes nothing accepted: the new recording is held against the accepted state."""
    shipped.edit("scenarios/support/prompts/support-desk.md", "Be friendly, brief and exact.", "Be brief and exact.")
    script = "scenarios/support/two-refunds.script.yaml"
    shipped.edit(
        script,
        '{tool: refund, arguments: {order_id: "1190", amount: "48.00"',
        '{tool: refund, arguments: {order_id: "1191", amount: "48.00"',
    )
    with running_provider([shipped.root / script]) as url:
        assert shipped.record(url, "scenarios/support/two-refunds.yaml").code == 0
    done = shipped.harness("run", "scenarios/support/two-refunds.yaml")
    assert done.code == 1, done.text
    assert "support/two-refunds" in done.out
    assert "WORSE" in done.out
    assert 'expected refund(order_id="1190", amount="48.00", …) once, found 0' in done.out
