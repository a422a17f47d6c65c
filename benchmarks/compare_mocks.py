"""Holds the simulated provider and two independent mocks against the real recordings, shape by shape.

Not a part of CI: it needs npm, node and PyPI. Run it as ``python benchmarks/compare_mocks.py``; it installs the mocks
into a temporary folder, puts every request of ``tests/simulated/test_recordings.py`` and every bad one of
``test_refusals.py`` to each server, drives the official SDKs against each, and prints what docs/simulated-provider.md
reports. In its output "ours" is the server under the heading.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import anthropic
import httpx2
import openai

from harness.providers.simulated import running_provider

AIMOCK = "@copilotkit/aimock@1.43.0"
MOCKLLM = "mockllm==0.0.8"
WORDLESS = "05-chat-stream-plain"
"""Its model spent all tokens on thinking and said nothing, which no mock here can be told to do."""
TESTS = Path(__file__).parents[1] / "tests" / "simulated"
HEADERS = {"authorization": "Bearer simulated", "x-api-key": "simulated", "anthropic-version": "2023-06-01"}

Calls = list[tuple[str, str]]
Serve = Callable[[str, str, str, Calls], "contextmanager[str]"]
"""From model, the user's words, text and calls to a server's URL."""


def load(name: str) -> ModuleType:
    """One of our test modules: it has the requests and the comparison."""
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


RECORDINGS = load("test_recordings")
REFUSALS = load("test_refusals")


@contextmanager
def ours(folder: Path, model: str, words: str, text: str, calls: Calls) -> Iterator[str]:
    """The simulated provider of this repository."""
    rule = {"say": text} if text else {}
    if calls:
        rule["call"] = [{"tool": name, "arguments": json.loads(arguments or "{}")} for name, arguments in calls]
    script = folder / "one.script.yaml"
    script.write_text(json.dumps({"match": {"model": model}, "rules": [rule]}, ensure_ascii=False), encoding="utf-8")
    with running_provider([script]) as url:
        yield url


@contextmanager
def aimock(folder: Path, model: str, words: str, text: str, calls: Calls) -> Iterator[str]:
    """npm's ``@copilotkit/aimock``: all three protocols."""
    response: dict = {"content": text} if text else {}
    if calls:
        response["toolCalls"] = [
            {"name": name, "arguments": json.loads(arguments or "{}")} for name, arguments in calls
        ]
    fixture = folder / "fixture.json"
    fixture.write_text(json.dumps({"fixtures": [{"match": {"model": model}, "response": response}]}), encoding="utf-8")
    program = folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    port = free_port()
    with process(["node", str(program), "-p", str(port), "-f", str(fixture)], port) as url:
        yield url


@contextmanager
def mockllm(folder: Path, model: str, words: str, text: str, calls: Calls) -> Iterator[str]:
    """PyPI's ``mockllm``: Chat Completions and Messages, text only."""
    responses = folder / "responses.yml"
    responses.write_text(json.dumps({"responses": {words: text}, "defaults": {"unknown_response": text or "x"}}))
    port = free_port()
    program = folder / "venv" / "bin" / "mockllm"
    with process([str(program), "start", "-r", str(responses), "-h", "127.0.0.1", "-p", str(port)], port) as url:
        yield url


SERVERS = {"ours": ours, "aimock": aimock, "mockllm": mockllm}


@contextmanager
def process(command: list[str], port: int) -> Iterator[str]:
    """A server in a process of its own, once it accepts connections."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Until somebody listens, for 20 seconds at most."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


def install(folder: Path) -> None:
    """Both mocks into the folder."""
    subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), AIMOCK], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    subprocess.run([str(folder / "venv" / "bin" / "pip"), "install", "-q", MOCKLLM], check=True)


def compare_recording(name: str, number: int, streamed: bool, serve: Serve, folder: Path) -> set[str]:
    """What differs from the recording when a server is told to say what was recorded."""
    exchange = RECORDINGS.recorded(name, number)
    if streamed:
        real = RECORDINGS.events(exchange.text)
        text, calls = RECORDINGS.streamed_speech(exchange.path, real)
    else:
        real = json.loads(exchange.text)
        text, calls = RECORDINGS.spoken(exchange.path, real)
    with (
        serve(folder, exchange.body["model"], "", text or ("" if calls else "x"), calls) as url,
        httpx2.Client() as client,
    ):
        response = client.post(url + exchange.path, headers=HEADERS, json=exchange.body)
    if response.status_code != 200:
        return {f"status {response.status_code}"}
    if not streamed:
        return RECORDINGS.differences(real, response.json())
    return compare_events(real, RECORDINGS.events(response.text), RECORDINGS.OLDER.get(name, set()))


def compare_events(real: list, theirs: list, expected: set[str]) -> set[str]:
    """Order of the kinds of event, then the shape of each kind."""
    one, other = RECORDINGS.runs(real), RECORDINGS.runs(theirs)
    found = set()
    kinds, other_kinds = [kind for kind, _ in one], [kind for kind, _ in other]
    if kinds != other_kinds:
        pairs = itertools.zip_longest(kinds, other_kinds, fillvalue="(end)")
        wanted, got = next((a, b) for a, b in pairs if a != b)
        found.add(f"order: {wanted} expected, {got} sent")
    for kind in dict.fromkeys(kinds):
        if kind in other_kinds:
            mine = [data for name, group in one if name == kind for data in group]
            yours = [data for name, group in other if name == kind for data in group]
            found |= {f"{kind}: {difference}" for difference in RECORDINGS.differences(mine, yours) - expected}
    return found


def drive_sdks(serve: Serve, folder: Path) -> dict[str, str]:
    """The same text through each official SDK, plain and streamed."""
    words = [{"role": "user", "content": "Hello"}]
    found = {}
    with serve(folder, "gpt-4o-mini", "Hello", "Hi there, how are you?", []) as url:
        chat = openai.OpenAI(base_url=f"{url}/v1", api_key="simulated", max_retries=0)
        asked = {"model": "gpt-4o-mini", "messages": words}
        found["chat"] = attempt(lambda: chat.chat.completions.create(**asked).choices[0].message.content)
        found["chat streamed"] = attempt(
            lambda: "".join(
                c.choices[0].delta.content or "" for c in chat.chat.completions.create(**asked, stream=True)
            )
        )
        found["responses"] = attempt(lambda: chat.responses.create(model="gpt-4o-mini", input="Hello").output_text)
        found["responses streamed"] = attempt(lambda: streamed_response(chat))
        claude = anthropic.Anthropic(base_url=url, api_key="simulated", max_retries=0)
        asked["max_tokens"] = 50
        found["messages"] = attempt(lambda: claude.messages.create(**asked).content[0].text)
        found["messages streamed"] = attempt(lambda: streamed_message(claude, asked))
    return found


def streamed_chat(client: openai.OpenAI, asked: dict) -> str:
    """By its chunks."""
    chunks = client.chat.completions.create(**asked, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def streamed_response(client: openai.OpenAI) -> str:
    """By the stream helper."""
    with client.responses.stream(model="gpt-4o-mini", input="Hello") as stream:
        stream.until_done()
        return stream.get_final_response().output_text


def streamed_message(client: anthropic.Anthropic, asked: dict) -> str:
    """By the stream helper."""
    with client.messages.stream(**asked) as stream:
        return stream.get_final_text()


def attempt(ask: Callable[[], str]) -> str:
    """The text, or how it failed."""
    try:
        return "right" if (text := ask()) == "Hi there, how are you?" else f"another text: {text!r}"
    except (openai.OpenAIError, anthropic.AnthropicError, RuntimeError, AssertionError, TypeError) as error:
        return f"{type(error).__name__}: {str(error)[:80]}"


def count_refusals(serve: Serve, folder: Path) -> tuple[int, list[str]]:
    """Of the bad requests, how many get the status that the real provider gives; and the others."""
    wrong = []
    with serve(folder, "m", "Hello", "Hi.", []) as url, httpx2.Client() as client:
        for case, (path, headers, body, status, _) in REFUSALS.CASES.items():
            sent = {"content": body} if isinstance(body, bytes) else {"json": body}
            got = status_of(client, url + path, headers, sent)
            if got != status:
                wrong.append(f"{case}: {got}")
    return len(REFUSALS.CASES) - len(wrong), wrong


def status_of(client: httpx2.Client, url: str, headers: dict, sent: dict) -> int | None:
    """The status; None where the connection broke instead."""
    try:
        return client.post(url, headers=headers, **sent).status_code
    except httpx2.TransportError:
        return None


def main() -> None:
    """Install, compare, print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder)
        for server, serve in SERVERS.items():
            print(f"\n# {server}")
            for call, outcome in drive_sdks(serve, folder).items():
                print(f"  SDK {call}: {outcome}")
            right, wrong = count_refusals(serve, folder)
            print(f"  bad requests refused with the real status: {right} of {len(REFUSALS.CASES)}; not: {wrong}")
            listed = [(*pair, False) for pair in RECORDINGS.PLAIN]
            listed += [(*pair, True) for pair in RECORDINGS.STREAMED if pair[0] != WORDLESS]
            alike = 0
            for recording, number, streamed in listed:
                found = compare_recording(recording, number, streamed, serve, folder)
                alike += not found
                print(f"  {recording}[{number}]: {sorted(found) or 'alike'}")
            print(f"  recordings alike: {alike} of {len(listed)}")


if __name__ == "__main__":
    main()
