"""`-j`: replays in several processes come to the same, and lose nothing when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cassettes import save_cassette
from harness.records.exchange import Cassette
from tests.project import MiniProject

needs_fork = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="replays in one process here"
)
CONFTEST = """\
import os
import pathlib
import signal
import socket
import time

import harness


@harness.subject("agent")
def agent(task: harness.Task) -> str:
    pathlib.Path(f"seen-{os.getpid()}").touch()
    if task.input == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.input == "hang":
        pathlib.Path("hanging").touch()
        while True:
            pass
    if task.input == "reach out":
        socket.create_connection(("127.0.0.1", 9))
    return "done"
"""
SCENARIO = "description: d\nsubject: agent\ninput: {text}\nexpect:\n  - output: {{contains: done}}\n"


def write(root: Path, **texts: str) -> MiniProject:
    """A scenario for each text, with an empty recording."""
    project = MiniProject(root).write({"pyproject.toml": "[tool.harness]\n", "conftest.py": CONFTEST})
    for name, text in texts.items():
        project.write({f"scenarios/{name}.yaml": SCENARIO.format(text=text)})
        save_cassette(root / f"cassettes/{name}/default/1.yaml", Cassette(exchanges=()))
    return project


@needs_fork
def test_a_killed_worker_loses_only_the_case_at_work(tmp_path: Path) -> None:
    """Its case is errored with the signal's name and the run ends with 4; the rest is replayed by another."""
    project = write(tmp_path, **{f"well-{number}": "Go" for number in range(6)}, dies="die", reaches="reach out")
    done = project.harness("run", "-j", "2")
    assert done.code == 1, done.text  # the refused connection is a failure, and outranks an error
    trials = {trial["scenario"]: trial for trial in project.results()["trials"]}
    assert (trials["dies"]["outcome"], "SIGKILL" in trials["dies"]["reason"]) == ("errored", True)
    assert "was killed by SIGKILL" in trials["dies"]["reason"]
    assert trials["reaches"]["outcome"] == "failed"
    assert [trials[f"well-{number}"]["outcome"] for number in range(6)] == ["passed"] * 6
    assert len(list(tmp_path.glob("seen-*"))) == 3
    (tmp_path / "scenarios/reaches.yaml").unlink()
    assert project.harness("run", "-j", "2", "scenarios").code == 4


@needs_fork
def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    """A recording that can't be read is told with its place, whichever process met it."""
    project = write(tmp_path, **{f"well-{number}": "Go" for number in range(4)})
    for number in (1, 2):
        (tmp_path / f"cassettes/well-{number}/default/1.yaml").write_text("version: 1\ninteractions: [")
    done = project.harness("run", "-j", "4")
    assert done.code == 2
    assert "cassettes/well-1/default/1.yaml" in done.err
    assert "cassettes/well-2/default/1.yaml" in done.err
    assert "Traceback" not in done.err


@needs_fork
def test_control_c_leaves_no_worker(tmp_path: Path) -> None:
    """An interrupted run ends with 130, and its workers with it."""
    write(tmp_path, one="hang", two="hang")
    code = "from harness.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "run", "-j", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as run:
        while len(list(tmp_path.glob("seen-*"))) < 2:
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(100) == 130
    for seen in tmp_path.glob("seen-*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(seen.name.removeprefix("seen-")), 0)
