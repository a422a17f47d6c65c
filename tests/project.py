"""A project of a user of ours, in a folder of its own, driven through the real doors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.warm import Done, warm

__all__ = ["DESK", "Done", "MiniProject"]

_OURS = Path(__file__).parents[1]
_KEEP = ("PATH", "HOME", "PYTHONPATH", "LANG", "TMPDIR", "SYSTEMROOT")
_DOORS = {
    "harness": "from harness.cli import main; sys.exit(main())",
    "pytest": "import pytest; sys.exit(pytest.main())",
}

DESK: Mapping[str, str] = {
    "pyproject.toml": '[tool.harness]\njudge_model = "claude-haiku-4-5"\n',
    "conftest.py": """\
import harness
from desk import Order, answer, find_order

harness.subject("desk", tools=[find_order])(answer)
harness.validator("order")(Order)
""",
    "desk.py": '''\
import json

import harness
from openai import AsyncOpenAI
from pydantic import BaseModel


class Order(BaseModel):
    status: str
    days: int


def find_order(world: harness.World, order_id: str) -> dict:
    """Look up one order."""
    return world.state["orders"][order_id]


async def answer(task: harness.Task) -> dict:
    """A user's own agent over the bare SDK."""
    tool = task.world.tools[0]
    offered = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    messages = [{"role": "system", "content": "Answer in JSON."}, {"role": "user", "content": task.input}]
    client = AsyncOpenAI(max_retries=0)
    while True:
        reply = await client.chat.completions.create(
            model="gpt-5-mini", messages=messages, tools=[{"type": "function", "function": offered}]
        )
        message = reply.choices[0].message
        if not message.tool_calls:
            return json.loads(message.content)
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = await tool.call(call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result.content})
''',
    "scenarios/status.yaml": """\
description: Where is the parcel? The agent looks the order up.
tags: [parcel]
subject: desk
input: Where is order 1042?
world:
  orders: {"1042": {status: shipped, days: 2}}
expect:
  - called: find_order
    arguments: {order_id: "1042"}
  - validator: order
  - output: {equals: {status: shipped, days: 2}}
limits: {model_calls: 2}
""",
    "status.script.yaml": """\
match: {user: Where is order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order}
    json: {status: shipped, days: 2}
""",
}
"""A user's own agent, tool, validator and scenario, and the script that its recordings come from."""


@dataclass(frozen=True, slots=True)
class MiniProject:
    """A folder with files. Commands run in processes of their own, without this one's keys and settings."""

    root: Path
    python: str = sys.executable
    """The interpreter of the environment that it is installed in."""

    def write(self, files: Mapping[str, str]) -> MiniProject:
        """Write files, replacing those that exist."""
        for name, text in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return self

    def edit(self, name: str, old: str, new: str) -> MiniProject:
        """Replace one text in one file; it must occur exactly once."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        return self.write({name: text.replace(old, new)})

    def harness(self, *arguments: str, cwd: Path | None = None, cold: bool = False, **environ: str) -> Done:
        """Run the ``harness`` command; ``cold`` where the process itself, or what it imports, is the matter."""
        return self._enter("harness", arguments, cwd or self.root, environ, cold=cold)

    def pytest(self, *arguments: str, cold: bool = False, prelude: str = "", **environ: str) -> Done:
        """Run pytest, after code that changes ``sys`` for it."""
        arguments = ("-p", "no:cacheprovider", *arguments)
        return self._enter("pytest", arguments, self.root, environ, cold=cold, prelude=prelude)

    def run(self, code: str, *arguments: str, cwd: Path | None = None, **environ: str) -> Done:
        """Run Python code in a process from scratch."""
        done = subprocess.run(
            [self.python, "-c", code, *arguments],
            cwd=cwd or self.root,
            env=_environ(environ),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def record(self, url: str, *arguments: str, **environ: str) -> Done:
        """Record from a simulated provider."""
        return self.harness(
            "record",
            *arguments,
            OPENAI_BASE_URL=f"{url}/v1",
            ANTHROPIC_BASE_URL=url,
            OPENAI_API_KEY="simulated",
            ANTHROPIC_API_KEY="simulated",
            **environ,
        )

    def results(self, out: str = "reports/latest") -> dict[str, Any]:
        """The results that the last run wrote."""
        data: dict[str, Any] = json.loads((self.root / out / "results.json").read_text(encoding="utf-8"))
        return data

    def _enter(
        self,
        door: str,
        arguments: tuple[str, ...],
        cwd: Path,
        environ: Mapping[str, str],
        *,
        cold: bool,
        prelude: str = "",
    ) -> Done:
        # what Python reads as it starts, and a package of the project's own, can't be given to a process that is forked
        cold = cold or any(name.startswith("PYTHON") for name in environ)
        cold = cold or ((cwd / "harness").is_dir() and cwd != _OURS)
        cold = cold or self.python != sys.executable
        if cold or not hasattr(os, "fork"):
            return self.run(f"import sys\n{prelude}\n{_DOORS[door]}", *arguments, cwd=cwd, **environ)
        return warm().open(door, cwd, arguments, _environ(environ), prelude)


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEEP if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}
