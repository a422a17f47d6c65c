"""Tools mocked from the scenario, through the real doors."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.project import DESK, MiniProject

FLAKY = {
    **DESK,
    "scenarios/status.yaml": """\
description: The look-up fails once; the agent tries again.
subject: desk
input: Where is order 1042?
world:
  orders: {"1042": {status: lost}}
mocks:
  find_order:
    - {raises: the warehouse does not answer, times: 1}
    - {when: {order_id: "1042"}, returns: {status: shipped}}
expect:
  - called: find_order
    times: 3
  - output: {equals: {status: shipped}}
  - state: {orders: {"1042": {status: lost}}}
""",
    "status.script.yaml": """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order, result: the warehouse does not answer}
    call: [{tool: find_order, arguments: {order: "1042"}}]
  - when: {tool: find_order, result: do not fit its parameters}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order, result: '{"status":"shipped"}'}
    json: {status: shipped}
""",
}
"""A desk whose tool fails once, then refuses wrong arguments, then answers what its world does not hold."""


@pytest.fixture(scope="module")
def flaky(tmp_path_factory: pytest.TempPathFactory) -> MiniProject:
    """The flaky desk, recorded."""
    project = MiniProject(tmp_path_factory.mktemp("flaky")).write(FLAKY)
    with running_provider([project.root / "status.script.yaml"]) as url:
        done = project.record(url)
    assert done.code == 0, done.text
    return project


@pytest.fixture
def copied(flaky: MiniProject, tmp_path: Path) -> MiniProject:
    """A copy that a test may change."""
    files = [file for file in flaky.root.rglob("*") if file.is_file() and "reports" not in file.parts]
    texts = {file.relative_to(flaky.root).as_posix(): file.read_text(encoding="utf-8") for file in files}
    return MiniProject(tmp_path).write(texts)


def test_a_flaky_tool_is_recorded_and_replayed(copied: MiniProject) -> None:
    """First the failure, then the tool's own refusal of wrong arguments, then the mocked result; the world stays."""
    done = copied.harness("run")
    assert done.code == 0, done.text
    assert copied.pytest("scenarios").code == 0
    (trial,) = copied.results()["trials"]
    calls = [event for event in trial["trace"]["events"] if event["kind"] == "tool_called"]
    assert [call["result"].split(";")[0] for call in calls] == [
        "the warehouse does not answer",
        "The arguments of find_order do not fit its parameters",
        '{"status":"shipped"}',
    ]
    assert [call.get("mocked", False) for call in calls] == [True, False, True]
    shown = copied.harness("show", "reports/latest/results.json")
    assert shown.out.count("mocked") == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("returns: {status: shipped}", "returns: {status: returned}"),
        ("answer, times: 1}", "answer, times: 2}"),
        ('when: {order_id: "1042"}', 'when: {order_id: "1043"}'),
        ("    - {raises: the warehouse does not answer, times: 1}\n", ""),
    ],
    ids=["another result", "another number", "other arguments", "one less"],
)
def test_a_changed_mock_is_stale(copied: MiniProject, old: str, new: str) -> None:
    """The recording was made of another scenario: exit 3, with the command that records it anew."""
    done = copied.edit("scenarios/status.yaml", old, new).harness("run")
    assert done.code == 3, done.text
    assert "scenario text changed since the recording: `mocks`" in done.text
    assert "harness record scenarios/status.yaml" in done.text


def test_the_same_mocks_written_another_way_are_not_stale(copied: MiniProject) -> None:
    """Another order of keys or an explicit default changes nothing."""
    written = "{raises: the warehouse does not answer, times: 1}"
    copied.edit("scenarios/status.yaml", written, "{when: {}, times: 1, raises: the warehouse does not answer}")
    done = copied.harness("run")
    assert done.code == 0, done.text


def test_a_recording_without_mocks_is_stale_with_them(desk: MiniProject) -> None:
    """Mocks that were added change what the tools answer."""
    mocks = "mocks: {find_order: {raises: down}}\nexpect:\n"
    done = desk.edit("scenarios/status.yaml", "expect:\n", mocks).harness("run")
    assert done.code == 3, done.text
    assert "scenario text changed since the recording: `mocks`" in done.text


def test_a_recording_with_mocks_is_stale_without_them(copied: MiniProject) -> None:
    """So do mocks that were taken out."""
    text = (copied.root / "scenarios/status.yaml").read_text(encoding="utf-8")
    copied.write({"scenarios/status.yaml": text[: text.index("mocks:")] + text[text.index("expect:") :]})
    done = copied.harness("run")
    assert done.code == 3, done.text
    assert "scenario text changed since the recording: `mocks`" in done.text


@pytest.mark.parametrize("command", ["run", "record", "drift", "pytest"])
def test_a_mock_of_no_tool_is_bad_input(copied: MiniProject, command: str) -> None:
    """Every door tells the place and the nearest name before anything runs."""
    copied.edit("scenarios/status.yaml", "  find_order:\n", "  find_ordr:\n")
    done = copied.pytest("scenarios") if command == "pytest" else copied.harness(command)
    assert done.code == 2, done.text
    assert "scenarios/status.yaml:7:3: there is no tool 'find_ordr'; did you mean 'find_order'?" in done.text
    assert "Traceback" not in done.text
