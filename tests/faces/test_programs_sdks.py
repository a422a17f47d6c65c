"""Programs built on the official SDKs, as they are: every way of asking, and one that asks past the environment."""

from __future__ import annotations

from pathlib import Path

from harness.providers.simulated import running_provider
from tests.project import MiniProject

SDKS = '''\
"""Asks in each way that the two SDKs have."""

import asyncio
import sys

import anthropic
import openai

SAID = [{"role": "user", "content": sys.stdin.read()}]
CHAT = {"model": "gpt-5-mini", "messages": SAID}
MESSAGE = {"model": "claude-haiku-4-5", "messages": SAID, "max_tokens": 100}


def in_turn():
    client = openai.OpenAI()
    yield client.chat.completions.create(**CHAT).choices[0].message.content
    chunks = client.chat.completions.create(**CHAT, stream=True)
    yield "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    yield client.responses.create(model="gpt-5-mini", input=SAID).output_text
    other = anthropic.Anthropic()
    yield other.messages.create(**MESSAGE).content[0].text
    with other.messages.stream(**MESSAGE) as stream:
        yield "".join(stream.text_stream)


async def at_once():
    client, other = openai.AsyncOpenAI(), anthropic.AsyncAnthropic()

    async def stream():
        async with other.messages.stream(**MESSAGE) as events:
            return "".join([text async for text in events.text_stream])

    whole, message, streamed = await asyncio.gather(
        client.chat.completions.create(**CHAT), other.messages.create(**MESSAGE), stream()
    )
    return [whole.choices[0].message.content, message.content[0].text, streamed]


print(*in_turn(), *asyncio.run(at_once()), sep="|")
'''
STRAY = '''\
"""Has the address of its provider in its code."""

import openai

client = openai.OpenAI(base_url="https://api.openai.com/v1", max_retries=1)
try:
    client.models.list()
except openai.APIConnectionError:
    print("never mind")
'''
CONFTEST = """\
import sys

import harness

harness.command("sdks", [sys.executable, "sdks.py"])
harness.command("stray", [sys.executable, "stray.py"])
"""
SCENARIO = """\
description: One turn.
subject: {subject}
input: Hello
expect:
  - output: {{equals: {answer}}}
"""
SCRIPT = "match: {user: Hello}\nrules: [{say: Good day}]\n"


def test_the_sdks_in_a_program(tmp_path: Path) -> None:
    """Sync and async, whole and streamed, three protocols, three calls at once: recorded, and replayed to the byte.

    One that takes its provider's address from nowhere but its code is caught, while recording and in a replay.
    """
    project = MiniProject(tmp_path).write(
        {
            "pyproject.toml": "[tool.harness]\n",
            "conftest.py": CONFTEST,
            "sdks.py": SDKS,
            "stray.py": STRAY,
            "hello.script.yaml": SCRIPT,
            "scenarios/sdks.yaml": SCENARIO.format(subject="sdks", answer="|".join(["Good day"] * 8)),
            "scenarios/stray.yaml": SCENARIO.format(subject="stray", answer="never mind"),
        }
    )
    with running_provider([tmp_path / "hello.script.yaml"]) as url:
        recorded = project.record(url)
    past = "api.openai.com:443 was asked for past the base addresses, over TLS"
    assert past in recorded.text, recorded.text
    results = []
    for _ in range(2):
        done = project.harness("run", "-v")
        assert done.code == 1, done.text
        results.append((tmp_path / "reports/latest/results.json").read_bytes())
    assert results[0] == results[1]
    trials = {trial["scenario"]: trial for trial in project.results()["trials"]}
    assert trials["sdks"]["outcome"] == "passed", trials["sdks"]["reason"]
    calls = [event for event in trials["sdks"]["trace"]["events"] if event["kind"] == "model_call"]
    assert [call["streamed"] for call in calls[:5]] == [False, True, False, False, True]
    assert sorted(call["api"] for call in calls[5:]) == ["anthropic-messages"] * 2 + ["openai-chat"]
    assert trials["stray"]["outcome"] == "failed"
    assert past in trials["stray"]["reason"]
