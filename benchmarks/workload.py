"""What the benchmarks of speed have in common: the agent's model, and a project whose scenarios put the agent to work.

A sample is one question to the agent of ``workload_agent.py``: three model calls over Chat Completions, not streamed,
with two tool calls between them; the bodies of its requests grow to about 8 KB. No two questions are the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.cassettes import load_cassette
from harness.cassettes.writing import write_cassette
from harness.loading import digest
from harness.records.exchange import Cassette, HttpRequest, HttpResponse

__all__ = ["ask", "clean_environ", "make_project", "questions", "reply_to", "run_harness", "serving"]

AGENT = Path(__file__).with_name("workload_agent.py")

_CONFTEST = '''\
import harness
import workload_agent
from harness.providers import api_for, connect
from openai import AsyncOpenAI

client = AsyncOpenAI(max_retries=0)


@harness.subject("desk")
async def desk(task: harness.Task) -> str:
    return await workload_agent.answer(client, task.input)


def find_order(world: harness.World, order_id: str) -> dict:
    """Look up one order by its number: its items, its way so far and how it was paid."""
    return workload_agent.find_order(order_id)


def read_policy(world: harness.World, subject: str) -> dict:
    """Read what the shop's policy says on one subject, paragraph by paragraph."""
    return workload_agent.read_policy(subject)


@harness.subject("reference", tools=[find_order, read_policy])
async def reference(task: harness.Task) -> str:
    agent = harness.Agent(
        client=connect(api_for(workload_agent.MODEL)),
        model=workload_agent.MODEL,
        system=workload_agent.SYSTEM,
        tools=task.world.tools,
        seams=task.seams,
    )
    return str((await agent.run(harness.AgentState(), task.input)).answer)
'''
_SCENARIO = """\
description: The customer asks where a parcel is; the agent looks up the order and the policy before it answers.
subject: {subject}
input: {question}
expect:
  - called: find_order
    arguments: {{order_id: "{number}"}}
  - called: read_policy
  - output: {{contains: Red Van}}
limits: {{model_calls: 3}}
"""


def questions(count: int) -> range:
    """The numbers of that many samples."""
    return range(10_000, 10_000 + count)


def ask(number: int) -> str:
    """The question of a sample."""
    return f"Where is my order {number}? It was to be here last week, and nobody tells me anything."


def reply_to(body: bytes) -> bytes:
    """The model's reply to a request, its minted ids included: they depend on the request alone."""
    messages = json.loads(body)["messages"]
    question = next(message["content"] for message in messages if message["role"] == "user")
    number = question.split("order ")[1].split("?")[0]
    turn = sum(message["role"] == "assistant" for message in messages)
    wanted = [("find_order", {"order_id": number}), ("read_policy", {"subject": f"lost parcels, order {number}"})]
    message: dict[str, object] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    if turn < len(wanted):
        name, arguments = wanted[turn]
        function = {"name": name, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": f"call_{number}_{turn}", "type": "function", "function": function}]
    else:
        message["content"] = f"Order {number} is on its way with Red Van. After ten working days it counts as lost."
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    if turn < len(wanted):
        choice["finish_reason"] = "tool_calls"
    usage = {"prompt_tokens": len(body) // 4, "completion_tokens": 40, "total_tokens": len(body) // 4 + 40}
    reply = {
        "id": f"chatcmpl-{number}-{turn}",
        "object": "chat.completion",
        "created": 1772352000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [choice],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }
    return json.dumps(reply).encode()


class _Model(BaseHTTPRequestHandler):
    """The model behind a socket."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, template: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer."""
        body = reply_to(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[str]:
    """The model on loopback, to record from: the base URL for an OpenAI client."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def make_project(root: Path, count: int, subjects: Sequence[str] = ("desk",)) -> Path:
    """A project with a folder of that many scenarios for each subject; each has its own question and recording.

    ``desk`` is the agent itself, ``reference`` the same on :class:`harness.Agent`. Of each the first scenario is
    recorded by ``harness record``, and all are made of that: what their orders are called is all that differs, and that
    they come from the provider's own address, as those of a user do.
    """
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.harness]\n")
    (root / "conftest.py").write_text(_CONFTEST)
    shutil.copy(AGENT, root)
    first = questions(1)[0]
    for subject in subjects:
        (root / "scenarios" / subject).mkdir(parents=True)
        _write_scenario(root, subject, first)
    with serving() as url:
        run_harness(root, "record", OPENAI_BASE_URL=url, OPENAI_API_KEY="simulated")
    for subject in subjects:
        recorded = load_cassette(root / f"cassettes/{subject}/order-{first}/default/1.yaml")
        for number in questions(count):
            _write_scenario(root, subject, number)
            _write_recording(root, subject, number, recorded)
    return root


def _write_scenario(root: Path, subject: str, number: int) -> None:
    text = _SCENARIO.format(subject=subject, question=ask(number), number=number)
    (root / f"scenarios/{subject}/order-{number}.yaml").write_text(text)


def _write_recording(root: Path, subject: str, number: int, recorded: Cassette) -> None:
    """The first question's recording as that of another number would be."""
    first, name = questions(1)[0], f"{subject}/order-{number}"

    def renumber(part: HttpRequest | HttpResponse) -> HttpRequest | HttpResponse:
        return part.model_copy(update={"body": part.body.replace(b"%d" % first, b"%d" % number)})

    uri = {"uri": "https://api.openai.com/v1/chat/completions"}
    exchanges = [
        each.model_copy(
            update={
                "request": renumber(each.request).model_copy(update=uri),
                "response": renumber(each.response),
            }
        )
        for each in recorded.exchanges
    ]
    assert recorded.metadata is not None
    texts = recorded.metadata.texts | {"input": digest([ask(number)])}
    metadata = recorded.metadata.model_copy(update={"scenario": name, "texts": texts})
    file = root / "cassettes" / name / "default/1.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(write_cassette(Cassette(metadata=metadata, exchanges=tuple(exchanges))))


def run_harness(root: Path, *arguments: str, **environ: str) -> None:
    """Run the ``harness`` command in a process of its own, in that folder."""
    code = "import sys; from harness.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=root,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def clean_environ(**more: str) -> dict[str, str]:
    """This process's environment without its keys and settings, and with these."""
    kept = ("PATH", "HOME", "PYTHONPATH", "LANG", "TMPDIR", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ} | more
