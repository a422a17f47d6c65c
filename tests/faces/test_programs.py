"""A command line program under test, through the real doors: recorded, replayed, failing, hanging, left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.programs import PROGRAMS, SCRIPT
from tests.project import MiniProject

TALK = """\
description: Three turns, in which the program remembers what was said.
subject: cli
conversation: [Hello, And then, Bye]
world: {turns: 0, kept: [ä]}
expect:
  - state: {turns: 3, kept: [ä]}
  - output: {equals: Farewell then}
limits: {model_calls: 3}
"""
ONE = """\
description: One turn.
subject: SUBJECT
settings: {way: WAY}
input: Hello
expect:
  - output: {contains: Good day}
"""
WAYS = ("fails", "silent", "grumbles", "floods", "spoils", "leaves", "hangs")
MANY, FEW = 42, 8


def folder_of(number: int) -> str:
    """Where a scenario of the many is: a few that each test run replays, and the rest."""
    return "few" if number < FEW else "many"


def one(subject: str, way: str) -> str:
    """A scenario of one turn."""
    return ONE.replace("SUBJECT", subject).replace("WAY", way)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty and more scenarios, recorded at once."""
    root = tmp_path_factory.mktemp("programs")
    scenarios = {f"scenarios/{folder_of(number)}/{number:02}.yaml": one("cli", "answers") for number in range(MANY)}
    scenarios |= {f"scenarios/ways/{way}.yaml": one("cli", way) for way in WAYS}
    scenarios |= {
        "scenarios/talk.yaml": TALK,
        "scenarios/arguments.yaml": one("cli-arguments", "answers"),
        "scenarios/structured.yaml": one("cli-json", "structured").replace(
            "contains: Good day", "equals: {said: Good day, now: true}"
        ),
    }
    project = MiniProject(root).write({**PROGRAMS, **scenarios, "hello.script.yaml": SCRIPT})
    with running_provider([root / "hello.script.yaml"]) as url:
        done = project.record(url, "-j", "50")
    assert done.code == 0, done.text
    return root


@pytest.fixture
def project(recorded: Path, tmp_path: Path) -> MiniProject:
    """A copy of the recorded project that a test may break."""
    return MiniProject(Path(shutil.copytree(recorded, tmp_path / "programs")))


def reason(project: MiniProject, scenario: str) -> str:
    """Why a trial ended as it did."""
    (trial,) = (trial for trial in project.results()["trials"] if trial["scenario"] == scenario)
    text: str = trial["reason"]
    return text


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_replays_the_same_each_time(project: MiniProject) -> None:
    """What was recorded fifty at a time replays offline, to the byte, with its recorded times, under pytest too."""
    whole = project.harness("run", "scenarios/few", "scenarios/talk.yaml", "scenarios/structured.yaml")
    assert whole.code == 0, whole.text
    assert f"times not exact in {FEW + 2} trials: a program of its own, which lives in wall time" in whole.out
    results = []
    for _ in range(2):
        done = project.harness("run", "scenarios/talk.yaml", "scenarios/structured.yaml", "-j", "2")
        assert done.code == 0, done.text
        results.append((project.root / "reports/latest/results.json").read_bytes())
    assert results[0] == results[1]
    (talk,) = (trial["trace"] for trial in project.results()["trials"] if trial["scenario"] == "talk")
    calls = [event for event in talk["events"] if event["kind"] == "model_call"]
    assert [call["user_turn"] for call in calls] == [1, 2, 3]
    assert [call["started"] for call in calls] == recorded_starts(project.root / "cassettes/talk/default/1.yaml")
    recorded_at = re.search(
        r"recorded_at: '(.*)Z'", (project.root / "cassettes/talk/default/1.yaml").read_text("utf-8")
    )
    assert recorded_at
    now = f"{recorded_at[1]}+00:00"
    assert talk["state"] == {"turns": 3, "kept": ["ä"], "run_id": talk["run_id"], "now": now}
    under_pytest = project.pytest("scenarios/talk.yaml", "scenarios/arguments.yaml")
    assert under_pytest.code == 0, under_pytest.text


def recorded_starts(cassette: Path) -> list[int]:
    """When the requests of a cassette were sent."""
    lines = [line for line in cassette.read_text(encoding="utf-8").splitlines() if line.startswith("    harness: {")]
    return [int(line.partition("started: ")[2].partition(",")[0]) for line in lines]


def test_its_failures_are_the_agents(project: MiniProject) -> None:
    """A program that fails, is silent, floods or spoils its world fails its trial by name."""
    done = project.harness("run", "scenarios/ways")
    assert done.code == 1, done.text
    assert "the program ended with exit code 1; its last words:\nno stock\nboom" in reason(project, "ways/fails")
    assert "printed nothing on stdout, where its answer belongs, without a word" in reason(project, "ways/silent")
    assert "printed more than 16 MiB on stdout" in reason(project, "ways/floods")
    assert "HARNESS_WORLD holds a list where a JSON object was" in reason(project, "ways/spoils")
    outcomes = {trial["scenario"]: trial["outcome"] for trial in project.results()["trials"]}
    assert {name for name, outcome in outcomes.items() if outcome == "passed"} == {
        "ways/grumbles",
        "ways/hangs",
        "ways/leaves",
    }
    assert not is_running(int((project.root / "left.pid").read_text()))


def test_a_program_that_hangs_is_ended(project: MiniProject) -> None:
    """The time limit of a trial ends its program too, and says what it waited for."""
    done = project.harness("run", "scenarios/ways/hangs.yaml", HANG="1", HARNESS_TRIAL_TIMEOUT="4")
    assert done.code == 1, done.text
    assert "did not end within 4 seconds of wall time" in reason(project, "ways/hangs")
    assert not is_running(int((project.root / "hangs.pid").read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a process are not those of Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(project: MiniProject, number: signal.Signals) -> None:
    """Control-C ends the program that is under way, and the folder of its trial is gone."""
    folder = project.root / "temporary"
    folder.mkdir()
    command = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())", "run"]
    with subprocess.Popen(
        [*command, "scenarios/ways/hangs.yaml"],
        cwd=project.root,
        env={**os.environ, "HANG": "1", "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as running:
        noted = project.root / "hangs.pid"
        while not (noted.exists() and noted.read_text()) and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said.decode()
    assert not is_running(int(noted.read_text()))
    assert list(folder.glob("harness-*")) == []


def test_a_changed_prompt_is_stale(project: MiniProject) -> None:
    """The program's own text is the author's: what changed is named, and the program is told that it was refused."""
    project.edit("asking.py", "Be brief.", "Be long.")
    done = project.harness("run", "scenarios/talk.yaml")
    assert done.code == 3, done.text
    assert "system prompt, line 1" in reason(project, "talk")


def test_an_extension_goes_on_live(project: MiniProject) -> None:
    """From the first difference on the program's requests go out, and are kept beside the recording."""
    project.edit("scenarios/talk.yaml", "And then", "And now")
    with running_provider([project.root / "hello.script.yaml"]) as url:
        done = project.harness(
            "run", "scenarios/talk.yaml", "--mode", "extend", OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="simulated"
        )
    assert done.code == 0, done.text
    pending = (project.root / "cassettes/talk/default/1.pending.yaml").read_text(encoding="utf-8")
    assert pending.count("- request:") == 3
    assert "And now" in pending
    assert "And then" not in pending


def test_no_secret_is_kept(project: MiniProject) -> None:
    """A key that the program sends, says and writes into its world is in no recording and no report."""
    secret = "sk-proj-Zx81kQ9vLm27TtR4Wc55Yb60Ha"
    project.edit("cli.py", "print(answer)", 'print(answer, os.environ["OPENAI_API_KEY"])')
    with running_provider([project.root / "hello.script.yaml"]) as url:
        done = project.harness("record", "scenarios/talk.yaml", OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY=secret)
    assert done.code == 0, done.text
    assert project.harness("run", "scenarios/talk.yaml", OPENAI_API_KEY=secret).code == 1
    files = [*(project.root / "cassettes").rglob("*.yaml"), *(project.root / "reports").rglob("*.*")]
    assert len(files) > 10
    assert [file for file in files if secret in file.read_text(encoding="utf-8")] == []


def test_a_program_that_is_not_there(project: MiniProject) -> None:
    """It is the declaration's fault: named with its line, exit code 2."""
    project.edit("conftest.py", 'harness.command("cli", [*PYTHON, "cli.py"])', 'harness.command("cli", ["no-such"])')
    done = project.harness("run", "scenarios/talk.yaml")
    assert done.code == 2, done.text
    assert (
        "conftest.py:7: 'no-such' can't be started: No such file or directory; name a program that is there" in done.err
    )


def test_without_its_provider_nothing_is_recorded(project: MiniProject) -> None:
    """A program that ends because its provider is not there leaves no recording, as any agent."""
    done = project.harness(
        "record", "scenarios/talk.yaml", OPENAI_BASE_URL="http://127.0.0.1:1/v1", OPENAI_API_KEY="simulated"
    )
    assert done.code == 4, done.text
    assert "the provider could not be used" in done.text
