"""An HTTP endpoint under test, through the real doors: JSON and streams, servers that fail in each way."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.programs import PROGRAMS, SCRIPT
from tests.project import MiniProject

TALK = """\
description: Three turns with a server that keeps the conversation.
subject: SUBJECT
settings: {way: WAY}
conversation: [Hello, And then, Bye]
world: {turns: 0}
expect:
  - state: {turns: 3}
  - output: {contains: Farewell then}
"""
IMPATIENT = {"HARNESS_TRIAL_TIMEOUT": "4"}
"""Half of it is what a server may take to be there."""
WAYS = ("never", "refuses", "dies", "breaks", "odd", "hangs")
FAILURES = {
    "never": "the server could not be used after 2 seconds: nobody listened at its port; its last words:\nwaiting for",
    "refuses": "the server ended with exit code 1 before it listened on its port; its last words:\nno configuration",
    "dies": "the server ended with exit code 9; its last words:\n",
    "breaks": """the server answered 500: {"detail": "no stock"}""",
    "odd": """the server's answer has no `reply.parts.0.text`: '{"reply": {}}'""",
}


def talk(subject: str, way: str = "answers") -> str:
    """A scenario of three turns."""
    return TALK.replace("SUBJECT", subject).replace("WAY", way)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, recorded at once."""
    root = tmp_path_factory.mktemp("endpoints")
    scenarios = {f"scenarios/ways/{way}.yaml": talk("api", way) for way in WAYS}
    scenarios |= {"scenarios/talk.yaml": talk("api"), "scenarios/stream.yaml": talk("api-stream")}
    project = MiniProject(root).write({**PROGRAMS, **scenarios, "hello.script.yaml": SCRIPT})
    never = "scenarios/ways/never.yaml"
    with running_provider([root / "hello.script.yaml"]) as url:
        for arguments, environ in (((never,), IMPATIENT), (sorted({*scenarios} - {never}), {})):
            done = project.record(url, *arguments, "-j", "50", **environ)
            assert done.code == 0, done.text
    return root


@pytest.fixture
def project(recorded: Path, tmp_path: Path) -> MiniProject:
    """A copy of the recorded project that a test may break."""
    return MiniProject(Path(shutil.copytree(recorded, tmp_path / "endpoints")))


def reasons(project: MiniProject) -> dict[str, str]:
    """Why each trial ended as it did."""
    return {trial["scenario"].removeprefix("ways/"): trial["reason"] for trial in project.results()["trials"]}


def test_it_replays_the_same_each_time(project: MiniProject) -> None:
    """JSON and a stream of events replay offline, twice to the byte, the conversation and the world with them."""
    results = []
    for _ in range(2):
        done = project.harness("run", "scenarios/talk.yaml", "scenarios/stream.yaml")
        assert done.code == 0, done.text
        results.append((project.root / "reports/latest/results.json").read_bytes())
    assert results[0] == results[1]
    assert "times not exact in 2 trials: a server of its own, which lives in wall time" in done.out
    outputs = {trial["scenario"]: trial["trace"]["outputs"] for trial in project.results()["trials"]}
    assert outputs == {
        "talk": ["Good day", "Go on", "Farewell then"],
        "stream": ["Good day ", "Go on ", "Farewell then "],
    }


def test_a_slow_server_is_waited_for(project: MiniProject) -> None:
    """A server takes its time, whatever limit the project gives the sockets of this process."""
    project.edit("conftest.py", "import harness\n", "import harness\nimport socket\n\nsocket.setdefaulttimeout(0.2)\n")
    done = project.harness("run", "scenarios/talk.yaml", PONDERS="0.5")
    assert done.code == 0, done.text


def test_its_failures_are_the_agents(project: MiniProject) -> None:
    """A server that does not listen, ends, breaks or answers something else fails its trial by name."""
    told = {}
    for ways, environ in ((["never"], IMPATIENT), (WAYS[1:], {})):
        done = project.harness("run", *(f"scenarios/ways/{way}.yaml" for way in ways), **environ)
        assert done.code == 1, done.text
        told |= reasons(project)
    for way, reason in FAILURES.items():
        assert reason in told[way], told[way]
    assert told["dies"].endswith("out of memory")
    assert told["hangs"] == ""


def test_a_server_that_hangs_is_ended(project: MiniProject) -> None:
    """The time limit of a trial ends its server too."""
    done = project.harness("run", "scenarios/ways/hangs.yaml", HANG="1", HARNESS_TRIAL_TIMEOUT="6")
    assert done.code == 1, done.text
    assert "did not end within 6 seconds of wall time" in reasons(project)["hangs"]
    assert not [line for line in processes() if str(project.root) in line]


def processes() -> list[str]:
    """The folders in which processes run, as far as the system shows them."""
    return [
        str(link.readlink()) for link in Path("/proc").glob("[0-9]*/cwd") if link.is_symlink() and is_readable(link)
    ]


def is_readable(link: Path) -> bool:
    """Whether a process is still there, and ours."""
    try:
        link.readlink()
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has network namespaces")
def test_isolated(project: MiniProject) -> None:
    """In a network of its own a trial still reaches its server, and the server its recording."""
    done = project.harness("run", "--isolated", "scenarios/talk.yaml")
    if "the system refuses" in done.err:
        pytest.skip("this system gives no network namespaces; the command says so")
    assert done.code == 0, done.text
    assert "isolated: nothing but this process can be reached" in done.out
