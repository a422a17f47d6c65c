"""A project lives through records, edits, extensions, acceptances and crashes, in any order, and keeps its promises."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.cassettes import load_cassette
from tests.cassettes.conftest import CHAT
from tests.project import MiniProject
from tests.warm import Done, Warm, warm

CANARY = "tok9f3Kq7Zw2Lx8Vb5Nm1"
"""A secret that the agent sends with every request, and that no file may hold."""

PROJECT = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": "import harness\nfrom teller import tell\n\nharness.subject('teller')(tell)\n",
    "teller.py": """\
import os
from pathlib import Path

import harness
from openai import AsyncOpenAI


async def tell(task: harness.Task) -> str:
    messages = [
        {"role": "system", "content": Path("prompt.txt").read_text()},
        {"role": "user", "content": f"{task.input} (partner {os.environ['PARTNER_TOKEN']})"},
    ]
    async with AsyncOpenAI(max_retries=0) as client:
        for further in ("And then?", "And the end?"):
            reply = await client.chat.completions.create(model="gpt-5-mini", messages=messages)
            said = reply.choices[0].message.content
            messages += [{"role": "assistant", "content": said}, {"role": "user", "content": further}]
    return said
""",
    "prompt.txt": "Prompt 0.",
    "scenarios/one.yaml": """\
description: A tale.
subject: teller
input: Tale 0
expect:
  - output: {contains: upon}
""",
}


class Provider:
    """Answers every request with the text of the day, and counts."""

    def __init__(self) -> None:
        self.count = 0
        self.day = 0
        self.url = ""


@contextmanager
def running(provider: Provider) -> Iterator[None]:
    """The provider on a socket."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, template: str, *args: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            """Answer."""
            self.rfile.read(int(self.headers["content-length"]))
            provider.count += 1
            message = {"role": "assistant", "content": f"Once upon day {provider.day}, {CANARY} was said."}
            body = json.dumps(CHAT | {"choices": [CHAT["choices"][0] | {"message": message}]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{listener.server_port}/v1"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class Lifecycle(RuleBasedStateMachine):
    """What may happen to a project; after each step the disk says what the next replay must say."""

    process: Warm
    provider: Provider

    @initialize()
    def found(self) -> None:
        """A new project."""
        self.root = Path(tempfile.mkdtemp(prefix="lifecycle-"))
        MiniProject(self.root).write(PROJECT)
        self.name, self.prompt, self.tale = "one", "Prompt 0.", "Tale 0"

    def teardown(self) -> None:
        """Remove it."""
        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    def run(self, *arguments: str, at: int | None = None) -> Done:
        """One command; killed at an instant where one is given."""
        keys = {"OPENAI_BASE_URL": self.provider.url, "OPENAI_API_KEY": f"sk-{CANARY}", "PARTNER_TOKEN": CANARY}
        done = self.process.run(self.root, *arguments, at=at, **keys)
        assert "bug of harness" not in done.text, done.text
        return done

    def files(self, pattern: str) -> dict[str, bytes]:
        """Files among the recordings."""
        found = (self.root / "cassettes").rglob(pattern)
        return {file.relative_to(self.root).as_posix(): file.read_bytes() for file in found if file.is_file()}

    def accepted(self) -> dict[str, bytes]:
        """The recordings and the baseline, without what is pending or under way."""
        kept = self.files("[0-9]*.yaml") | self.files("baseline.json")
        return {name: data for name, data in kept.items() if ".pending." not in name}

    def is_current(self, file: str) -> bool:
        """Whether a recording was made of what the author has written by now."""
        asked = json.loads(load_cassette(self.root / file).exchanges[0].request.body)["messages"]
        return asked[0]["content"] == self.prompt and asked[1]["content"].startswith(f"{self.tale} (")

    def expected(self) -> int:
        """What a replay of what is on disk must end with."""
        trials = [name for name in self.accepted() if name.endswith(".yaml")]
        return 0 if trials and all(map(self.is_current, trials)) else 3

    @rule(trials=st.sampled_from([None, 1, 2, 3]))
    def record(self, trials: int | None) -> None:
        """Recorded, the project passes; the baseline is untouched."""
        baseline = self.files("baseline.json")
        done = self.run("record", *(["--trials", str(trials)] if trials else []))
        assert done.code == 0, done.text
        assert self.files("baseline.json") == baseline
        assert self.expected() == 0
        assert not trials or len(self.files(f"{trials}.yaml")) == 1

    @rule()
    def replay(self) -> None:
        """Unedited it passes, edited it is stale; nobody is asked and nothing changes."""
        count, before = self.provider.count, self.files("*")
        done = self.run("run")
        assert done.code == self.expected(), done.text
        assert self.provider.count == count
        assert self.files("*") == before

    @rule()
    def extend(self) -> None:
        """What was edited passes as pending, beside the accepted state."""
        before, stale, count = self.accepted(), self.expected(), self.provider.count
        done = self.run("run", "--mode", "extend")
        assert done.code == 0, done.text
        assert self.accepted() == before
        assert all(map(self.is_current, self.files("*.pending.yaml"))) or not stale
        if not stale:
            assert self.provider.count == count

    @rule()
    def accept_an_extension(self) -> None:
        """Extended and accepted, it passes, and nothing waits any longer."""
        self.extend()
        done = self.run("accept", "--yes")
        assert done.code == 0, done.text
        assert self.expected() == 0
        assert self.files("baseline.json")
        assert self.files("*.pending.yaml") == {}
        self.replay()

    @rule()
    def accept(self) -> None:
        """Whatever is accepted or refused: never half of it."""
        before = self.files("*")
        done = self.run("accept", "--yes")
        assert done.code in (0, 2, 3), done.text
        assert done.code == 0 or self.files("*") == before, done.text

    @rule()
    def reject(self) -> None:
        """What waited is gone, and nothing else."""
        before = self.accepted()
        done = self.run("reject", "--yes")
        assert done.code == 0, done.text
        assert self.accepted() == before
        assert self.files("*.pending.yaml") == {}

    @rule(number=st.integers(0, 2))
    def edit_the_prompt(self, number: int) -> None:
        """Another system prompt."""
        self.prompt = f"Prompt {number}."
        (self.root / "prompt.txt").write_text(self.prompt)

    @rule(number=st.integers(0, 2))
    def edit_the_scenario(self, number: int) -> None:
        """Another input."""
        file, tale = f"scenarios/{self.name}.yaml", f"Tale {number}"
        if tale != self.tale:
            MiniProject(self.root).edit(file, f"input: {self.tale}\n", f"input: {tale}\n")
            self.tale = tale

    @rule()
    def change_the_day(self) -> None:
        """Other answers from now on."""
        self.provider.day += 1

    @rule(folder=st.sampled_from(["", "deep/"]))
    def move(self, folder: str) -> None:
        """Another name; what replays says is as before."""
        name = folder + ("two" if self.name.endswith("one") else "one")
        before, expected = sorted(map(self.base_name, self.files("*"))), self.expected()
        done = self.run("mv", self.name, name)
        assert done.code == 0, done.text
        self.name = name
        assert sorted(map(self.base_name, self.files("*"))) == before
        assert self.expected() == expected

    @staticmethod
    def base_name(file: str) -> str:
        """A file's own name."""
        return file.rpartition("/")[2]

    @rule(
        command=st.sampled_from([("record",), ("run", "--mode", "extend"), ("accept", "--yes"), ("reject", "--yes")]),
        part=st.floats(0, 1),
    )
    def crash(self, command: tuple[str, ...], part: float) -> None:
        """Killed anywhere: recovered, every recording is the old one or the new one, and no answer is half kept."""
        before = self.accepted()
        killed = self.run(*command, at=int(part * 400))
        done = self.run("recover")
        assert done.code == 0, done.text
        after = self.accepted()
        if command[0] in ("run", "reject"):
            assert after == before
        elif command[0] == "record":
            assert all(after.get(name) == data or self.is_current(name) for name, data in before.items())
            assert killed.code == -9 or self.expected() == 0
        assert all(name in after for name in before)

    @invariant()
    @precondition(lambda self: hasattr(self, "root"))
    def holds(self) -> None:
        """Every recording loads, every baseline is whole, and no secret is on disk."""
        for name, data in self.files("*").items():
            if name.endswith(".yaml"):
                assert len(load_cassette(self.root / name).exchanges) == 2
            elif name.endswith("baseline.json"):
                json.loads(data)
            else:
                assert name.endswith((".journal", "/.gitignore")), name
        for file in self.root.rglob("*"):
            assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file


@pytest.mark.skipif(sys.platform == "win32", reason="its commands are forked, and killed on their way")
def test_a_project_keeps_its_promises() -> None:
    """Any order of commands, edits and crashes."""
    provider = Provider()
    with running(provider):
        kind = type("Living", (Lifecycle,), {"process": warm(), "provider": provider})
        examples = max(settings().max_examples // 25, 1)
        kind.TestCase.settings = settings(max_examples=examples, stateful_step_count=12)
        kind.TestCase().runTest()
