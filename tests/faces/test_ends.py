"""How a command ends when the world around it does not hold still."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.project import MiniProject

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, signals and limits end otherwise there")

HARNESS = "import sys; from harness.cli import main; sys.exit(main())"


def start(desk: MiniProject, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Begin a command and return at once."""
    return subprocess.Popen(
        [sys.executable, "-c", HARNESS, *arguments],
        cwd=desk.root,
        env={"PATH": os.environ["PATH"], **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "code"), [(("run", "-v"), 1), (("schema",), 0), (("show", "cassettes/status/default/1.yaml"), 0)]
)
def test_reader_that_leaves(desk: MiniProject, arguments: tuple[str, ...], code: int) -> None:
    """A reader that closes the pipe (`| head`) changes neither the exit code nor what stands on the error stream."""
    desk.edit("scenarios/status.yaml", "output: {equals: {status: shipped", "output: {equals: {status: lost")
    with start(desk, *arguments) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == ""
    assert running.returncode == code


def test_a_bug_of_ours_is_no_regression(desk: MiniProject) -> None:
    """An error that nobody foresaw ends in 4, not in the 1 of a failed verdict."""
    desk.write({"conftest.py": "import harness.registry\nharness.registry.REGISTRY.subjects = None\n"})
    done = desk.harness("run")
    assert done.code == 4
    assert "a bug of harness" in done.err


def test_interrupted_replay(desk: MiniProject) -> None:
    """Control-C ends a run with 130 and no report."""
    hang = "import signal, os, asyncio\n    os.kill(os.getpid(), signal.SIGINT)\n    await asyncio.sleep(60)\n"
    desk.edit("desk.py", "    tool = task.world.tools[0]\n", f"    {hang}    tool = task.world.tools[0]\n")
    done = desk.harness("run")
    assert done.code == 130, done.text
    assert "interrupted" in done.err
    assert "Traceback" not in done.text
    assert not (desk.root / "reports").exists()


def test_interrupted_recording(desk: MiniProject) -> None:
    """Control-C while the provider answers leaves the old recording as it was."""
    before = (desk.root / "cassettes/status/default/1.yaml").read_bytes()
    desk.write({"status.script.yaml": "match: {user: Where}\nrules:\n  - say: late\n    slow: {head_ms: 30000}\n"})
    with running_provider([desk.root / "status.script.yaml"]) as url:
        running = start(desk, "record", OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="simulated")
        journal = desk.root / "cassettes/status/default/1.journal"
        tick = threading.Event()
        while not journal.exists() and running.poll() is None:
            tick.wait(0.05)
        tick.wait(1)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert (desk.root / "cassettes/status/default/1.yaml").read_bytes() == before


@pytest.mark.parametrize("arguments", [("--out", "desk.py"), ("-o", "folder.json")])
def test_unwritable(desk: MiniProject, arguments: tuple[str, ...]) -> None:
    """Where a report can't be written, its own path is named and nothing is left beside it."""
    (desk.root / "folder.json").mkdir()
    done = desk.harness("run", *arguments)
    assert done.code == 4
    assert done.err.startswith(f"{arguments[1]}: ")
    assert "Traceback" not in done.text
    assert [file for file in desk.root.iterdir() if file.name.startswith(".")] == []


def test_unwritable_under_pytest(desk: MiniProject) -> None:
    """A report that can't be written fails the session in a sentence, and its tests are still counted."""
    done = desk.pytest("-q", "--harness-out", "desk.py")
    assert done.code == 3, done.text
    assert "no report was written: " in done.out
    assert "1 passed" in done.out
    assert "Traceback" not in done.text


def test_full_disk_keeps_the_old_report_whole(desk: MiniProject, tmp_path: Path) -> None:
    """A report of which one file can't be written leaves all of the last one in place."""
    out = tmp_path / "out"
    assert desk.harness("run", "--out", str(out)).code == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    room = (out / "index.html").stat().st_size - 1
    full = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
    desk.write({"conftest.py": full + (desk.root / "conftest.py").read_text()})
    desk.edit("scenarios/status.yaml", "output: {equals: {status: shipped", "output: {equals: {status: lost")
    assert desk.harness("run", "--out", str(out)).code == 4
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


OTHERS = {
    1: ("wrong", "output: {equals: {status: shipped", "output: {equals: {status: lost"),
    3: ("stale", "Where is order 1042?", "Where is order 1042 now?"),
    4: ("errored", "validator: order", "validator: broken"),
    2: ("unusable", "subject: desk", "subjct: desk"),
}
"""What makes a scenario end in each code: its name, and an edit."""


@pytest.mark.parametrize(("present", "code"), [((3, 4), 4), ((3, 4, 1), 1), ((3, 1), 1), ((3, 4, 1, 2), 2)])
def test_several_codes(desk: MiniProject, present: tuple[int, ...], code: int) -> None:
    """When several outcomes hold, it is 2, then 1, then 4, then 3."""
    broken = "\n\n@harness.validator('broken')\nclass Broken(Order):\n"
    broken += "    def model_post_init(self, context):\n        raise RuntimeError('no validator')\n"
    desk.write({"conftest.py": (desk.root / "conftest.py").read_text() + broken})
    text = (desk.root / "scenarios/status.yaml").read_text()
    recording = (desk.root / "cassettes/status/default/1.yaml").read_text()
    for number in present:
        name, old, new = OTHERS[number]
        desk.write({f"scenarios/{name}.yaml": text.replace(old, new)})
        desk.write({f"cassettes/{name}/default/1.yaml": recording.replace("scenario: status", f"scenario: {name}")})
    done = desk.harness("run")
    assert done.code == code, done.text


@pytest.mark.parametrize("end", ["raise ValueError(chr(0xD83D))", "return chr(0xD83D)", "raise SystemExit(0)"])
def test_whatever_an_agent_ends_in_is_reported(desk: MiniProject, end: str) -> None:
    """Half a character in an answer or error, or an exit, fails the trial; the report is written all the same."""
    done = desk.edit("desk.py", "return json.loads(message.content)", end).harness("run")
    assert done.code == 1, done.text
    assert "the agent raised" in done.out
    assert desk.results()["trials"][0]["outcome"] == "failed"


@pytest.mark.parametrize("end", ["raise GeneratorExit", "import asyncio; asyncio.current_task().cancel()"])
def test_an_agent_that_tears_down_the_run(desk: MiniProject, end: str) -> None:
    """Where nothing can be reported, the code is that of an error, never that of a verdict."""
    desk.edit("desk.py", "    tool = task.world.tools[0]\n", f"    {end}\n    tool = task.world.tools[0]\n")
    assert desk.harness("run").code == 4


LEAVE = """\
    import asyncio, sys

    async def leave():
        sys.exit(3)

    if not task.settings.get("calm"):
        await asyncio.gather(leave(), asyncio.sleep(1))
    tool = task.world.tools[0]
"""
MUTE = """

class Mute(Exception):
    def __str__(self):
        raise ValueError("no text")


"""


@pytest.mark.parametrize("where", ["agent", "tool", "validator"])
def test_an_exception_without_a_text_is_reported(desk: MiniProject, where: str) -> None:
    """One whose own ``__str__`` raises is a failure of whose it is, told by its type."""
    places = {
        "agent": ("    tool = task.world.tools[0]\n", "    raise Mute\n"),
        "tool": ('    return world.state["orders"][order_id]\n', "    raise Mute\n"),
        "validator": (
            "    days: int\n",
            "    days: int\n\n    def model_post_init(self, context):\n        raise Mute\n",
        ),
    }
    desk.edit("desk.py", *places[where]).edit("desk.py", "\n\nclass Order", f"{MUTE}class Order")
    done = desk.harness("run")
    assert done.code == (4 if where == "validator" else 1), done.text
    assert "(its text can't be read: ValueError)" in json.dumps(desk.results(), ensure_ascii=False)
    assert "a bug of harness" not in done.text
    (trial,) = desk.results()["trials"]
    assert trial["outcome"] == ("errored" if where == "validator" else "failed")


def test_a_task_that_exits_fails_its_trial_alone(desk: MiniProject) -> None:
    """An agent's own task that exits in a replay ends that trial, by both doors, and the others run."""
    text = (desk.root / "scenarios/status.yaml").read_text()
    recording = (desk.root / "cassettes/status/default/1.yaml").read_text()
    desk.write({"scenarios/calm.yaml": f"{text}settings: {{calm: true}}\n"})
    desk.write({"cassettes/calm/default/1.yaml": recording.replace("scenario: status", "scenario: calm")})
    desk.edit("desk.py", "    tool = task.world.tools[0]\n", LEAVE)
    for done in (desk.harness("run"), desk.pytest("scenarios")):
        assert done.code == 1, done.text
        assert "a task that the agent started called sys.exit(3); raise an error instead" in done.text
        assert "1 passed" in done.text
        assert "Traceback" not in done.text
        assert "SystemExit" not in done.text


def test_a_task_that_exits_ends_a_recording(desk: MiniProject) -> None:
    """Where trials share a loop it ends all of them, and both doors say so in a line."""
    desk.edit("desk.py", "    tool = task.world.tools[0]\n", LEAVE)
    for done in (desk.harness("record"), desk.pytest("scenarios", "--record-mode=rewrite")):
        assert done.code in {1, 4}, done.text
        what = "a task of the agent called sys.exit(3), which ends the whole run; raise an error instead"
        assert what in done.text
        assert "Traceback" not in done.text
        assert "SystemExit" not in done.text
