"""Which script and which rule answer a request."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from harness.errors import BadInputError
from harness.providers.simulated import running_provider, serve

HEADERS = {"authorization": "Bearer simulated"}


def user(text: str) -> dict:
    """What the user says."""
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    """What the model said."""
    return {"role": "assistant", "content": text}


def called(tool: str, result: str) -> list[dict]:
    """A call and its result."""
    call = {"id": "call_1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]


def ask(url: str, *messages: dict, system: str = "", model: str = "m") -> str:
    """The model's text, or the error's."""
    said = [{"role": "system", "content": system}, *messages] if system else list(messages)
    with httpx2.Client() as client:
        body = client.post(
            f"{url}/v1/chat/completions", headers=HEADERS, json={"model": model, "messages": said}
        ).json()
    return body["error"]["message"] if "error" in body else body["choices"][0]["message"]["content"]


RULES = """
match: {user: order}
rules:
  - {when: {turn: 1, user: hurry}, say: by turn and user}
  - {when: {turn: 1}, say: by turn}
  - {when: {tool: find_order, result: lost}, say: by tool and result}
  - {when: {tool: find_order}, say: by tool}
  - {when: {result: refunded}, say: by result}
  - {when: {said: Anything else}, say: by what was said}
  - {when: {user: changed}, say: by the newest user message}
"""

CONVERSATIONS = {
    "by turn": [user("my order")],
    "by turn and user": [user("my order, hurry")],
    "by tool and result": [user("my order"), *called("find_order", "it was lost")],
    "by tool": [user("my order"), *called("find_order", "it is there")],
    "by result": [user("my order"), *called("refund", "refunded 59.00")],
    "by what was said": [user("my order"), assistant("Done. Anything else?"), user("yes")],
    "by the newest user message": [user("my order"), assistant("Done."), user("I changed my mind")],
}


@pytest.mark.parametrize("answer", CONVERSATIONS)
def test_the_first_rule_that_holds_answers(start, answer):
    """Each condition chooses its rule."""
    assert ask(start(RULES), *CONVERSATIONS[answer]) == answer


def test_no_rule_names_script_and_last_message(start):
    """A conversation that the script did not foresee is an error that says where to add a rule."""
    url = start(RULES)
    message = ask(url, user("my order"), *called("find_order", "x"), assistant("There."), user("and now?"))
    assert re.search(r"no rule of .*0\.script\.yaml answers the user message 'and now\?'; add one", message)


def test_old_results_do_not_count(start):
    """Only results since the model's last reply choose a rule."""
    url = start(RULES)
    message = ask(url, user("my order"), *called("find_order", "lost"), assistant("Lost."), user("oh"))
    assert message.startswith("Simulated provider: no rule of")


def test_no_script_names_those_served(start):
    """A stranger's conversation is an error that names what is served."""
    message = ask(start(RULES), user("the weather"))
    assert re.search(r"no script matches the user message 'the weather'; scripts served: .*0\.script\.yaml", message)


def test_the_more_particular_script_answers(start):
    """A judge is shown the agent's conversation, yet its own script answers; the agent's first message decides."""
    url = start(
        "match: {user: order 1042}\nrules: [{say: agent}]",
        "match: {system: polite}\nrules: [{say: judge}]",
        "match: {user: order 1042, system: polite}\nrules: [{say: judge of 1042}]",
        "match: {user: order 1042, model: big}\nrules: [{say: big model}]",
    )
    assert ask(url, user("order 1042")) == "agent"
    assert ask(url, user("order 7"), system="Was it polite?") == "judge"
    assert ask(url, user("USER: order 1042"), system="Was it polite?") == "judge of 1042"
    assert ask(url, user("order 1042"), model="big") == "big model"
    assert ask(url, user("hello"), assistant("Hi."), user("order 1042")).startswith("Simulated provider: no script")


def test_two_scripts_alike_are_an_error(start):
    """Where two scripts fit equally well, neither answers."""
    script = "match: {user: order}\nrules: [{say: x}]"
    assert re.search(r"0\.script\.yaml and .*1\.script\.yaml match alike", ask(start(script, script), user("order")))


VARIANTS = "match: {user: order}\nrules:\n  - {when: {turn: 1}, say: [a, b, c]}\n  - say: [x, y]\n"


def test_variants_take_turns(start):
    """As many equal conversations as variants meet each once, then it starts over."""
    url = start(VARIANTS)
    met = [ask(url, user("order")) for _ in range(6)]
    assert sorted(met[:3]) == ["a", "b", "c"]
    assert met[3:] == met[:3]


def test_call_ids_do_not_make_conversations_differ(start):
    """A later turn meets its variants too, though each trial has call ids of its own."""
    url = start(VARIANTS)
    met = []
    for number in range(2):
        messages = called("find_order", "x")
        messages[0]["tool_calls"][0]["id"] = messages[1]["tool_call_id"] = f"call_{number}"
        met.append(ask(url, user("order"), *messages))
    assert sorted(met) == ["x", "y"]


def test_a_seed_decides(start, tmp_path):
    """Two servers with one seed answer to the byte alike; some other seed begins with another variant."""
    (tmp_path / "0.script.yaml").write_text(VARIANTS, encoding="utf-8")

    def first_bytes(seed: int) -> list[bytes]:
        with running_provider([tmp_path], seed=seed) as url, httpx2.Client() as client:
            body = {"model": "m", "messages": [user("order")]}
            responses = [client.post(f"{url}/v1/chat/completions", headers=HEADERS, json=body) for _ in range(2)]
        return [response.content for response in responses] + [str(responses[1].headers).encode()]

    assert first_bytes(1) == first_bytes(1)
    assert first_bytes(1)[0] != first_bytes(1)[1]
    assert len({first_bytes(seed)[0].split(b'"content"')[1][:6] for seed in range(12)}) == 3


async def test_serve_until_cancelled(tmp_path: Path):
    """``serve`` tells its URL when it is ready, answers, and lets go of the port when cancelled."""
    (tmp_path / "a.script.yaml").write_text(VARIANTS, encoding="utf-8")
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve([tmp_path], port=0, seed=0, on_ready=ready.set_result))
    url = await asyncio.wait_for(ready, 10)
    async with httpx2.AsyncClient(headers=HEADERS) as client:
        body = {"model": "m", "messages": [user("order")]}
        response = await client.post(f"{url}/v1/chat/completions", json=body)
        assert response.status_code == 200
        port = int(url.rpartition(":")[2])
        with pytest.raises(BadInputError, match=f"--port {port}: can't listen on 127.0.0.1 .*; take another port"):
            await serve([tmp_path], port=port, seed=0, on_ready=lambda url: None)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with pytest.raises(httpx2.ConnectError):
            await client.post(f"{url}/v1/chat/completions", json=body)


async def test_many_clients_at_once(start):
    """Fifty concurrent conversations on one server each get their own answer."""
    url = start("match: {user: order}\nrules: [{when: {user: ' 7'}, say: seven}, {say: other}]")

    async def one(number: int) -> str:
        body = {"model": "m", "messages": [user(f"order {number}")]}
        response = await client.post(f"{url}/v1/chat/completions", json=body)
        return response.json()["choices"][0]["message"]["content"]

    async with httpx2.AsyncClient(headers=HEADERS) as client:
        answers = await asyncio.gather(*(one(number) for number in range(10, 60)), one(7))
    assert answers == ["other"] * 50 + ["seven"]
