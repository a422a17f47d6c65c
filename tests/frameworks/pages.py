"""The pages of docs/frameworks/ as projects: what a page shows is written down, recorded many times over, replayed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.providers.simulated import running_provider
from tests.docs.test_documents import ROOT, tokens
from tests.project import Done, MiniProject

__all__ = ["MANY", "REQUIREMENTS", "pinned", "record", "replay", "reported", "seen", "shown", "trials"]

MANY = 50
"""How many scenarios are recorded at once."""
ORDER = "1042"
"""What the scenarios of every page, and the scripts for them, speak of. Each copy of them has a number of its own."""
BARE = {"SSL_CERT_FILE": "", "SSL_CERT_DIR": os.devnull}
"""Each client that is made would read all certificates of the system for nothing: nobody here is asked over TLS."""
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def pinned() -> dict[str, str]:
    """The versions that are tested, by distribution."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = (line.partition("==") for line in lines if "==" in line)
    return {name.partition("[")[0]: version for name, _, version in pins}


def shown(page: str) -> dict[str, str]:
    """The files that a page shows: each block of code whose first line is a comment with a file's name."""
    found: dict[str, str] = {}
    for token in tokens(ROOT / "docs/frameworks" / f"{page}.md"):
        name = re.match(r"# ([\w/.-]+)\n", token.content) if token.type == "fence" else None
        if name is not None:
            assert name[1] not in found, f"{page}.md shows {name[1]} twice"
            found[name[1]] = token.content
    return found


def record(project: MiniProject, page: str, scripts: Mapping[str, str], told: Mapping[str, str]) -> MiniProject:
    """Write down what a page shows, its scenarios many times over, and record all of them at once.

    ``scripts`` says what the model answers, by the name of the scenario; one named ``parcel.topic`` is a second for
    ``parcel``. ``told`` maps lines of the page's conftest to
    what stands there in the test: the subject also leaves in ``task.world.state["reported"]`` what the framework itself
    says of its run, in the form of :func:`seen`. The agent is the page's, to the letter.
    """
    files = shown(page)
    scenarios = {name: files.pop(name) for name in list(files) if name.startswith("scenarios/")}
    assert {name.partition(".")[0] for name in scripts} == {Path(name).stem for name in scenarios}
    for number in range(MANY):
        name, text = list(scenarios.items())[number % len(scenarios)]
        stem, order = Path(name).stem, str(2000 + number)
        assert ORDER in text
        files[f"scenarios/{stem}-{number}.yaml"] = text.replace(ORDER, order)
        for script, answers in scripts.items():
            if script.partition(".")[0] == stem:
                name = script.replace(stem, f"{stem}-{number}", 1)
                files[f"scenarios/{name}.script.yaml"] = answers.replace(ORDER, order)
    project.write(files)
    for line, instead in told.items():
        project.edit("conftest.py", line, instead)
    with running_provider([project.root / "scenarios"]) as url:
        done = project.harness("record", "-j", str(MANY), **_environ(url))
    assert done.code == 0, done.text
    return project


def _environ(url: str) -> dict[str, str]:
    """Where the models are. What frameworks report while they are recorded goes to a proxy that isn't there."""
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "simulated")
    urls = {"OPENAI_BASE_URL": f"{url}/v1", "ANTHROPIC_BASE_URL": url, "HTTPS_PROXY": "http://127.0.0.1:9"}
    return {**urls, **keys, **BARE}


def replay(project: MiniProject, out: str, *, by: str = "harness") -> bytes:
    """The results of a replay, by the command or by pytest; everything must have passed."""
    if by == "harness":
        done = project.harness("run", "--out", out, **BARE)
    else:
        done = project.pytest("-q", "--harness-out", out, **BARE)
    assert done.code == 0, done.text
    return (project.root / out / "results.json").read_bytes()


def after(project: MiniProject, *edits: tuple[str, str, str]) -> Done:
    """One scenario of each kind run again after edits: of what file, what, and what stands there now."""
    for edit in edits:
        project.edit(*edit)
    kinds = len({file.stem.rpartition("-")[0] for file in (project.root / "cassettes").iterdir()})
    few = [f"scenarios/{file.name}.yaml" for file in (project.root / "cassettes").iterdir()]
    few = [name for name in few if int(Path(name).stem.rpartition("-")[2]) < kinds]
    return project.harness("run", *few, **BARE)


def trials(project: MiniProject, out: str) -> list[dict[str, Any]]:
    """The trials of a run."""
    found: list[dict[str, Any]] = project.results(out)["trials"]
    return found


def reported(trial: dict[str, Any]) -> dict[str, Any]:
    """What the framework said of its run."""
    told: dict[str, Any] = trial["trace"]["state"]["reported"]
    return told


def seen(trial: dict[str, Any]) -> dict[str, Any]:
    """The same, as it was read off the wire."""
    trace = trial["trace"]
    calls = [event for event in trace["events"] if event["kind"] == "model_call"]
    tools = [event for event in trace["events"] if event["kind"] == "tool_called"]
    return {
        "model_calls": len(calls),
        "input_tokens": trace["usage"]["input_tokens"],
        "output_tokens": trace["usage"]["output_tokens"],
        "tool_calls": {tool["call_id"]: [tool["name"], tool["arguments"], tool["result"]] for tool in tools},
    }
