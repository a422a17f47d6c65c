"""The command line as a user walks it: what it prints, writes and returns."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.project import DESK, MiniProject


def test_run(desk: MiniProject) -> None:
    """A run writes five files and ends with the report's path."""
    done = desk.harness("run")
    assert done.code == 0, done.text
    out = desk.root / "reports/latest"
    assert sorted(file.name for file in out.iterdir()) == [
        "index.html",
        "junit.xml",
        "results.json",
        "run.json",
        "summary.md",
    ]
    assert done.out.splitlines()[-1] == str(out / "index.html")
    assert "\x1b" not in done.text
    assert json.loads((out / "run.json").read_text())["mode"] == "replay"


def test_quiet_verbose_and_colour(desk: MiniProject) -> None:
    """`-q` prints the path alone, `-v` a line for every case; colour only where forced, never with NO_COLOR."""
    assert desk.harness("run", "-q").out.splitlines() == [str(desk.root / "reports/latest/index.html")]
    assert desk.harness("run", "-v").out.startswith("status  passed")
    assert "\x1b[" in desk.harness("run", FORCE_COLOR="1").out
    assert "\x1b[" not in desk.harness("run", FORCE_COLOR="1", NO_COLOR="1").out


def test_results_do_not_depend_on_how_they_were_made(desk: MiniProject, tmp_path: Path) -> None:
    """Two runs, one or many at once, another folder: the same bytes."""
    desk.harness("run", "-j", "1", "--out", str(tmp_path / "a"))
    desk.harness("run", "-j", "32", "--out", str(tmp_path / "b"))
    desk.harness("run", str(desk.root / "scenarios"), "--out", str(tmp_path / "c"), cwd=tmp_path)
    first, *others = ((tmp_path / name / "results.json").read_bytes() for name in "abc")
    assert all(other == first for other in others)


@pytest.mark.parametrize("form", ["html", "json", "xml", "md", "csv"])
def test_single_file(desk: MiniProject, form: str) -> None:
    """`-o` writes the one form that its suffix names."""
    assert desk.harness("run", "-o", f"one.{form}").code == 0
    assert (desk.root / f"one.{form}").stat().st_size > 0


def test_single_file_of_no_form(desk: MiniProject) -> None:
    """A suffix that names no form is refused before anything is written."""
    done = desk.harness("run", "-o", "one.pdf")
    assert done.code == 2
    assert "one.pdf: no form is named '.pdf'" in done.err
    assert not (desk.root / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "-k", "nothing"), "no scenario matches -k 'nothing'"),
        (("run", "-k", "((("), "-k: expected"),
        (("run", "nowhere"), "nowhere: no such"),
        (("run", "desk.py"), "desk.py"),
        (("run", "-j", "0"), "0 is not a positive number"),
        (("accept", "nothing.json"), "nothing.json: can't be read"),
        (("accept", "nothing"), "can't be read"),
        (("show", "nothing.yaml"), "nothing.yaml"),
        (("report", "desk.py"), "desk.py: is no results"),
        (("compare", "desk.py", "desk.py"), "desk.py: is no results"),
        (("provider", "--script", "nothing", "--port", "0"), "nothing"),
        ((), "COMMAND"),
    ],
)
def test_usage(desk: MiniProject, arguments: tuple[str, ...], words: str) -> None:
    """What can't be done is said in a sentence, with exit code 2 and no traceback, and writes nothing."""
    done = desk.harness(*arguments)
    assert done.code == 2, done.text
    assert words in done.err
    assert "Traceback" not in done.text
    assert not (desk.root / "reports").exists()


def test_unrecorded(desk: MiniProject) -> None:
    """A scenario without a recording is its own outcome, with the command that makes one."""
    shutil.rmtree(desk.root / "cassettes")
    done = desk.harness("run")
    assert done.code == 3
    assert "unrecorded" in done.out
    assert "harness record scenarios/status.yaml" in done.out


def test_a_broken_conftest_is_named(desk: MiniProject) -> None:
    """A conftest that raises is bad input at its own line."""
    done = desk.write({"conftest.py": "import harness\n\nraise KeyError('shop')\n"}).harness("run")
    assert done.code == 2
    assert "conftest.py:3: raised KeyError: 'shop'" in done.err
    assert "Traceback" not in done.text


def test_an_agent_that_raises_fails(desk: MiniProject) -> None:
    """Its exception and place are the reason."""
    desk.edit("desk.py", "        message = reply.choices[0].message", "        raise ValueError('no shop')")
    done = desk.harness("run")
    assert done.code == 1
    assert "the agent raised ValueError: no shop at desk.py:" in done.out


def test_accept(desk: MiniProject) -> None:
    """Nothing is accepted unasked; with `--yes` the baseline changes and the next run compares with it."""
    desk.edit("scenarios/status.yaml", "output: {equals: {status: shipped, days: 2}}", "output: {equals: {days: 3}}")
    assert desk.harness("run").code == 1
    before = (desk.root / "cassettes/status/baseline.json").read_bytes()
    refused = desk.harness("accept")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert (desk.root / "cassettes/status/baseline.json").read_bytes() == before
    done = desk.harness("accept", "--yes", "status")
    assert done.code == 0
    assert "WORSE" in done.out
    assert desk.harness("run").code == 1
    assert desk.results()["comparison"]["cases"][0]["change"] == "unchanged"


def test_stale_is_not_accepted(desk: MiniProject) -> None:
    """What says nothing about the agent can't become the accepted state."""
    desk.edit("desk.py", '"gpt-5-mini"', '"gpt-5"')
    assert desk.harness("run").code == 3
    done = desk.harness("accept", "--yes")
    assert done.code == 2
    assert "status is stale" in done.err
    assert "harness record scenarios/status.yaml" in done.err


def test_compare_and_report(desk: MiniProject, tmp_path: Path) -> None:
    """Two results compare with the codes of a run; a report is rendered again without running."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    desk.harness("run", "--out", str(good))
    desk.edit("desk.py", 'world.state["orders"][order_id]', '{"status": "lost", "days": 9}')
    desk.harness("run", "--out", str(bad))
    done = desk.harness("compare", str(good / "results.json"), str(bad / "results.json"))
    assert done.code == 1
    assert "WORSE" in done.out
    assert desk.harness("compare", str(bad / "results.json"), str(good / "results.json")).code == 0
    done = desk.harness("report", str(bad / "results.json"), "--baseline", str(good / "results.json"), "--out", "again")
    assert done.code == 0
    assert "regressed" in (desk.root / "again/index.html").read_text()


def test_show(desk: MiniProject) -> None:
    """A cassette reads as a conversation and says what it was recorded from; results do as well."""
    done = desk.harness("show", "cassettes/status/default/1.yaml")
    assert done.code == 0
    for words in ("simulated provider", "Where is order 1042?", "find_order", "shipped"):
        assert words in done.out
    desk.harness("run")
    assert "find_order" in desk.harness("show", "reports/latest/results.json").out


def test_schema(desk: MiniProject) -> None:
    """The schema is printed, and is the one that is committed for editors."""
    done = desk.harness("schema")
    committed = Path(__file__).parents[2] / "scenarios/schema.json"
    assert done.out == committed.read_text(encoding="utf-8")


def test_a_miss_never_goes_live(desk: MiniProject) -> None:
    """A server that would answer receives nothing, with a key and without one."""
    desk.edit("desk.py", "Answer in JSON.", "Answer in strict JSON.")
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    heard.append(connection.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        try:
            assert desk.harness("run", OPENAI_BASE_URL=url).code == 3
            assert desk.harness("run", OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-test").code == 3
            assert desk.pytest("-q", OPENAI_BASE_URL=url).code == 1
        finally:
            stop.set()
            thread.join()
    assert heard == []


def test_record_keeps_what_it_can_not_replace(desk: MiniProject) -> None:
    """Without a provider the old recording stays, and the code says that something of the world was missing."""
    before = (desk.root / "cassettes/status/default/1.yaml").read_bytes()
    done = desk.record("http://127.0.0.1:9")
    assert done.code == 4
    assert "could not be used" in done.out
    assert "compare with" not in done.out
    assert (desk.root / "cassettes/status/default/1.yaml").read_bytes() == before
    assert [file.name for file in (desk.root / "cassettes/status/default").iterdir()] == ["1.yaml"]


def test_a_first_recording_that_fails_leaves_nothing(desk: MiniProject) -> None:
    """Where nothing was recorded yet and no provider answers, no folder is left behind."""
    shutil.rmtree(desk.root / "cassettes")
    assert desk.record("http://127.0.0.1:9").code == 4
    assert not any((desk.root / "cassettes").rglob("*"))


def test_a_project_without_scenarios(desk: MiniProject) -> None:
    """A newcomer is told where to begin."""
    shutil.rmtree(desk.root / "scenarios")
    done = desk.harness("run")
    assert done.code == 2
    assert "this project has no scenarios yet; write one in scenarios/" in done.err


def test_live(desk: MiniProject) -> None:
    """A live run asks the provider and keeps nothing."""
    before = {file: file.read_bytes() for file in (desk.root / "cassettes").rglob("*") if file.is_file()}
    with running_provider([desk.root / "status.script.yaml"]) as url:
        done = desk.harness("run", "--mode", "live", OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="simulated")
    assert done.code == 0, done.text
    assert {file: file.read_bytes() for file in (desk.root / "cassettes").rglob("*") if file.is_file()} == before


def test_fewer_trials_drop_their_recordings(desk: MiniProject) -> None:
    """Recording three trials writes three files; recording one again leaves one."""
    desk.edit("scenarios/status.yaml", "limits:", "trials: 3\nlimits:")
    folder = desk.root / "cassettes/status/default"
    with running_provider([desk.root / "status.script.yaml"]) as url:
        assert desk.record(url).code == 0
        assert sorted(file.name for file in folder.iterdir()) == ["1.yaml", "2.yaml", "3.yaml"]
        desk.edit("scenarios/status.yaml", "trials: 3\n", "trials: 1\n")
        assert desk.record(url).code == 0
    assert sorted(file.name for file in folder.iterdir()) == ["1.yaml"]


def test_results_under_an_old_name_are_not_accepted(desk: MiniProject) -> None:
    """A scenario that was renamed since the run gets no second baseline under its old name."""
    assert desk.harness("run").code == 0
    assert desk.harness("mv", "status", "parcel").code == 0
    refused = desk.harness("accept", "--yes")
    assert refused.code == 2
    assert "status is no scenario of this project any more, by that name; run again: harness run" in refused.err
    assert not (desk.root / "cassettes/status").exists()


def test_as_many_synchronous_agents_as_asked_for_run_at_once(desk: MiniProject) -> None:
    """`-j 40` has forty agents of threads at work, each of which waits here for all the others."""
    desk.write({f"scenarios/{number:02}.yaml": DESK["scenarios/status.yaml"] for number in range(40)})
    (desk.root / "scenarios/status.yaml").unlink()
    desk.write(
        {
            "conftest.py": """\
import asyncio
import threading

import harness
from desk import Order, answer, find_order

barrier = threading.Barrier(40, timeout=100)
harness.validator("order")(Order)


@harness.subject("desk", tools=[find_order])
def desk(task):
    barrier.wait()
    return asyncio.run(answer(task))
"""
        }
    )
    with running_provider([desk.root / "status.script.yaml"]) as url:
        done = desk.record(url, "-j", "40")
    assert done.code == 0, done.text
    assert len(list(desk.root.glob("cassettes/[0-9]*/default/1.yaml"))) == 40, done.text


def test_an_agent_that_breaks_before_it_asks_loses_no_recording(desk: MiniProject) -> None:
    """Where it raises before its first request, what was recorded stays, and nothing is left beside it."""
    before = {file: file.read_bytes() for file in (desk.root / "cassettes").rglob("*") if file.is_file()}
    desk.edit("desk.py", "    tool = task.world.tools[0]\n", "    raise ValueError('no settings')\n")
    with running_provider([desk.root / "status.script.yaml"]) as url:
        done = desk.record(url)
    assert "now failed: the agent raised ValueError: no settings at desk.py:" in done.text
    assert {file: file.read_bytes() for file in (desk.root / "cassettes").rglob("*") if file.is_file()} == before
