"""What a sample costs under other tools and under ours; docs/other-tools.md has the table.

    python benchmarks/compare_tools.py FOLDER [--samples N] [--rounds R] [--pip COMMAND]

Makes an environment for each tool below FOLDER, which is empty or from an earlier run, from the package index. Each
tool gets the same samples (``benchmarks/workload.py``) through the version of the SDK that is installed here, and is
measured in processor time beside the floor in its own process: the same agent over the SDK with a transport in memory.
The least of the rounds counts. pytest's start and the imports are not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2
import workload
import workload_agent
from openai import AsyncOpenAI

HERE = Path(__file__).parent
TEST = """\
import asyncio

import compare_samples
import pytest
import workload_agent
from openai import AsyncOpenAI


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def client(runner):
    client = {client}
    yield client
    runner.run(client.close())

{marker}
@pytest.mark.parametrize("number", range(len(compare_samples.QUESTIONS)))
def test_sample(runner, client, number):
    answer = runner.run(workload_agent.answer(client, compare_samples.QUESTIONS[number]))
    assert compare_samples.WANTED in answer
"""
CONFTEST = """\
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [{here!r}, str(Path(__file__).parent)]


@pytest.fixture(scope="module")
def vcr_config():
    return {config}


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop():
    began = time.process_time()
    result = yield
    Path(__file__).with_name("taken.txt").write_text(str(time.process_time() - began), encoding="utf-8")
    return result
"""
BY_MARKER = {
    "pytest-recording": ('{"match_on": ["method", "scheme", "host", "port", "path", "query", "body"]}', "vcrpy"),
    "cassetter": ('{"match_on": ["method", "uri", "body"]}', ""),
}
LIVE, MOCK = 'AsyncOpenAI(api_key="simulated", max_retries=0)', "compare_samples.mock_client()"


def learn(count: int) -> dict[str, object]:
    """The questions, and the model's reply to each request that the agent makes of them."""
    replies: dict[str, str] = {}

    def respond(request: httpx2.Request) -> httpx2.Response:
        reply = replies[request.content.decode()] = workload.reply_to(request.content).decode()
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=reply.encode())

    async def answer_all() -> None:
        transport = httpx2.MockTransport(respond)
        async with AsyncOpenAI(api_key="-", http_client=httpx2.AsyncClient(transport=transport)) as client:
            for question in asked:
                await workload_agent.answer(client, question)

    asked = [workload.ask(number) for number in workload.questions(count)]
    asyncio.run(answer_all())
    return {"questions": asked, "replies": replies}


def make_environment(folder: Path, tool: str, pip: str) -> Path:
    """The interpreter of an environment that has the tool, pytest and our version of the SDK."""
    python = folder / "bin/python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", *([] if pip == "pip" else ["--without-pip"]), folder], check=True)
        installer = [str(python), "-m", "pip"] if pip == "pip" else shlex.split(pip)
        where = [] if pip == "pip" else ["--python", str(python)]
        wanted = [tool, f"openai=={version('openai')}", f"pytest=={version('pytest')}"]
        subprocess.run([*installer, "install", "-q", *where, *wanted], check=True)
    return python


def version_in(python: Path, package: str) -> str:
    """The version of a package in an environment."""
    code = f"from importlib.metadata import version; print({package!r}, version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def fill(folder: Path, samples: dict[str, object], *, test: str = "", config: str = "{}") -> Path:
    """A folder with what ``compare_samples.py`` needs; and with tests, where there are to be any."""
    folder.mkdir(parents=True)
    shutil.copy(workload.AGENT, folder)
    (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    if test:
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "test_samples.py").write_text(test, encoding="utf-8")
        (folder / "conftest.py").write_text(CONFTEST.format(here=str(HERE), config=config), encoding="utf-8")
    return folder


def record(python: Path, folder: Path, url: str) -> None:
    """Record the tests of a folder with the tool's own plugin."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--record-mode=all", folder]
    environ = workload.clean_environ(OPENAI_BASE_URL=url, SAMPLES=str(folder))
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ratio(python: Path | str, way: str, folder: Path, rounds: int, url: str) -> float:
    """The least that a tool took, in multiples of the least that the floor took."""
    taken, floor = [], []
    for _ in range(rounds):
        command = [python, HERE / "compare_samples.py", way, folder]
        environ = workload.clean_environ(OPENAI_BASE_URL=url, SAMPLES=str(folder), INSPECT_LOG_LEVEL="error")
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        taken.append(found["taken"])
        floor.append(found["floor"])
    return min(taken) / min(floor)


def tell(what: str, multiple: float) -> None:
    """A line of the table."""
    print(f"{multiple:6.2f} floors  {what}", flush=True)


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pip", default="pip", help="what installs, such as `uv pip`; default: pip")
    arguments = parser.parse_args()
    samples = learn(arguments.samples)
    rounds = arguments.rounds
    print(f"{arguments.samples} samples, openai {version('openai')}, Python {sys.version.split()[0]}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, workload.serving() as url:
        made = Path(name)
        alone = fill(made / "pytest", samples, test=TEST.format(client=MOCK, marker=""))
        environments = {
            tool: make_environment(arguments.folder / tool, tool, arguments.pip)
            for tool in (*BY_MARKER, "pydantic-evals", "inspect-ai")
        }
        python = environments["pydantic-evals"]
        named = f"{version_in(python, 'pytest')}, the mock transport, no tool"
        tell(named, ratio(python, "pytest", alone, rounds, url))
        for tool, (config, engine) in BY_MARKER.items():
            python = environments[tool]
            test = TEST.format(client=LIVE, marker="@pytest.mark.vcr")
            folder = fill(made / tool, samples, test=test, config=config)
            record(python, folder, url)
            named = version_in(python, tool) + (f" on {version_in(python, engine)}" if engine else "")
            tell(named, ratio(python, "marker", folder, rounds, url))
        folder = fill(made / "harness", samples, test=TEST.format(client=LIVE, marker="@pytest.mark.vcr"))
        record(Path(sys.executable), folder, url)
        tell("harness, the marker vcr under pytest", ratio(sys.executable, "marker", folder, rounds, url))
        for tool in ("pydantic-evals", "inspect-ai"):
            python = environments[tool]
            named = version_in(python, tool)
            tell(named, ratio(python, tool, fill(made / tool, samples), rounds, url))
        folder = fill(made / "run", samples)
        workload.make_project(folder / "project", arguments.samples)
        tell("harness run", ratio(sys.executable, "harness", folder, rounds, url))


if __name__ == "__main__":
    main()
