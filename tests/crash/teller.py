"""A user's project whose agent writes down, for itself, the end of each model call that it was told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.cassettes import load_cassette, read_journal
from tests.project import MiniProject

__all__ = ["TELLER", "heard", "kept", "keys"]

TELLER: Mapping[str, str] = {
    "pyproject.toml": "[tool.harness]\n",
    "conftest.py": """\
import harness
from teller import tell

harness.subject("teller")(tell)
""",
    "teller.py": """\
import asyncio
import os

import harness
from openai import AsyncOpenAI


async def call(client: AsyncOpenAI, text: str, stream: bool) -> str:
    messages = [{"role": "user", "content": text}]
    reply = await client.chat.completions.create(model="gpt-5-mini", messages=messages, stream=stream)
    if stream:
        said = "".join([part.choices[0].delta.content or "" async for part in reply if part.choices])
    else:
        said = reply.choices[0].message.content
    with open("heard.txt", "a") as file:
        file.write(text + "\\n")
    if os.path.exists("end.txt") and text.endswith("part 1."):
        os.kill(os.getpid(), int(open("end.txt").read()))
        await asyncio.sleep(10)
    return said


async def tell(task: harness.Task) -> str:
    async with AsyncOpenAI(max_retries=0) as client:
        first = await call(client, f"{task.input}, part 1.", False)
        rest = await asyncio.gather(*(call(client, f"{task.input}, part {n}.", n == 2) for n in (2, 3)))
        last = await call(client, f"{task.input}, part 4.", True)
    return " ".join([first, *rest, last])
""",
    "scenarios/fox.yaml": """\
description: A tale, told twice.
subject: teller
input: Tell of the fox
trials: 2
expect:
  - output: {contains: upon}
""",
    "scenarios/owl.yaml": """\
description: A tale.
subject: teller
input: Tell of the owl
expect:
  - output: {contains: upon}
""",
    "tell.script.yaml": "match: {user: Tell of}\nrules:\n  - say: Once upon a time.\n",
}
"""Three trials in two scenarios, each of four calls: plain and streamed, some at once."""


def make(folder: Path) -> Path:
    """The teller's project, without a recording."""
    folder.mkdir()
    return MiniProject(folder).write(TELLER).root


def keys(url: str) -> dict[str, str]:
    """What makes the SDK ask the simulated provider."""
    return {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "simulated"}


def heard(folder: Path) -> Counter[str]:
    """What the agents were told the end of."""
    file = folder / "heard.txt"
    return Counter(file.read_text(encoding="utf-8").splitlines() if file.is_file() else ())


def kept(folder: Path) -> Counter[str]:
    """The same of what is on disk, in recordings and journals, none of which may be broken."""
    return Counter(_kept(folder / "cassettes"))


def _kept(cassettes: Path) -> Iterator[str]:
    for file in cassettes.rglob("[0-9]*"):
        if file.suffix == ".journal":
            left = read_journal(file)
            assert left is not None, "a dead process holds no lock"
            exchanges = left.exchanges
            if file.with_suffix(".yaml").is_file():
                continue  # written already, and about to go
        else:
            exchanges = load_cassette(file).exchanges
        for exchange in exchanges:
            yield exchange.request.body.decode().partition('"content":"')[2].partition('"')[0]
