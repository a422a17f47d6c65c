"""The official SDKs, sync and async, plain and streamed, on all three protocols: they can't tell."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel

GPT = "gpt-5-mini"
CLAUDE = "claude-haiku-4-5"
QUESTION = "What is the weather in Paris and in Rome?"
SAID = 'It is 18 °C in Paris; in Rome it is 24 °C — "sunny" 🌞.\n\nAnything else?'

SCRIPT = f"""
match: {{user: weather}}
rules:
  - when: {{turn: 1}}
    say: I'll look.
    call:
      - {{tool: get_weather, arguments: {{city: Paris, days: [1, 2]}}}}
      - {{tool: get_weather, arguments: {{city: Rome}}}}
  - when: {{tool: get_weather, result: "24"}}
    say: {json.dumps(SAID, ensure_ascii=False)}
    usage: {{input_tokens: 120, cached_input_tokens: 20, output_tokens: 30}}
"""

JSON_SCRIPT = """
match: {system: Reply with a mark}
rules: [{json: {mark: 4, reason: "Polite, and firm."}}]
"""

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CHAT_TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "", "parameters": PARAMETERS}}]
RESPONSES_TOOLS = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}]
CLAUDE_TOOLS = [{"name": "get_weather", "description": "", "input_schema": PARAMETERS}]


class Ruling(BaseModel):
    """What a judge gives."""

    mark: int
    reason: str


def chat_followup(first: ChatCompletion) -> list[dict]:
    """The conversation after the tools ran."""
    message = first.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{temperature} °C"}
        for call, temperature in zip(message.tool_calls, (18, 24), strict=True)
    ]
    return [{"role": "user", "content": QUESTION}, message.model_dump(exclude_none=True), *results]


def check_chat_calls(completion: ChatCompletion) -> None:
    """The first reply speaks and makes two calls."""
    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "I'll look."
    calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    assert calls == [("get_weather", '{"city":"Paris","days":[1,2]}'), ("get_weather", '{"city":"Rome"}')]
    assert completion.model == "gpt-5-mini-2025-08-07"
    assert completion.id.startswith("chatcmpl-")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0


def check_chat_answer(completion: ChatCompletion) -> None:
    """The second reply is the text, with the scripted usage."""
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content == SAID
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (120, 30)
    assert completion.usage.prompt_tokens_details.cached_tokens == 20


def test_chat_plain(start):
    """Chat Completions: parallel calls, then an answer to their results."""
    with openai.OpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        asked = {"model": GPT, "tools": CHAT_TOOLS}
        first = client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}], **asked)
        check_chat_calls(first)
        check_chat_answer(client.chat.completions.create(messages=chat_followup(first), **asked))


async def test_chat_plain_async(start):
    """The same with the asynchronous client."""
    async with openai.AsyncOpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        asked = {"model": GPT, "tools": CHAT_TOOLS}
        first = await client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}], **asked)
        check_chat_calls(first)
        check_chat_answer(await client.chat.completions.create(messages=chat_followup(first), **asked))


def test_chat_streamed(start):
    """Chat Completions by the stream helper: the collected stream equals the plain reply."""
    with openai.OpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        asked = {"model": GPT, "tools": CHAT_TOOLS, "stream_options": {"include_usage": True}}
        with client.chat.completions.stream(messages=[{"role": "user", "content": QUESTION}], **asked) as stream:
            kinds = [event.type for event in stream]
            first = stream.get_final_completion()
        check_chat_calls(first)
        assert kinds.count("tool_calls.function.arguments.done") == 2
        with client.chat.completions.stream(messages=chat_followup(first), **asked) as stream:
            check_chat_answer(stream.get_final_completion())


async def test_chat_streamed_async(start):
    """Chunks by ``create(stream=True)``: role first, content piece by piece, usage last and only when asked."""
    async with openai.AsyncOpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        first = await client.chat.completions.create(model=GPT, messages=[{"role": "user", "content": QUESTION}])
        asked = {"model": GPT, "messages": chat_followup(first), "stream": True}
        chunks = [chunk async for chunk in await client.chat.completions.create(**asked)]
        counted = {"stream_options": {"include_usage": True}}
        with_usage = [chunk async for chunk in await client.chat.completions.create(**asked, **counted)]
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert len(pieces) > 5
    assert "".join(pieces) == SAID
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert with_usage[-1].choices == []
    assert with_usage[-1].usage.prompt_tokens == 120


def test_chat_parse(start):
    """A structured answer comes back as the model that was asked for."""
    with openai.OpenAI(base_url=f"{start(JSON_SCRIPT)}/v1", api_key="simulated") as client:
        messages = [{"role": "system", "content": "Reply with a mark."}, {"role": "user", "content": "Judge this."}]
        completion = client.chat.completions.parse(model=GPT, messages=messages, response_format=Ruling)
    assert completion.choices[0].message.parsed == Ruling(mark=4, reason="Polite, and firm.")


def responses_followup(first: Response) -> list[dict]:
    """The conversation after the tools ran."""
    calls = [item for item in first.output if item.type == "function_call"]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{temperature} °C"}
        for call, temperature in zip(calls, (18, 24), strict=True)
    ]
    return [{"role": "user", "content": QUESTION}, *(item.model_dump() for item in first.output), *results]


def check_response_calls(response: Response) -> None:
    """The first reply speaks and makes two calls."""
    assert response.status == "completed"
    assert [item.type for item in response.output] == ["message", "function_call", "function_call"]
    assert response.output_text == "I'll look."
    arguments = [item.arguments for item in response.output[1:]]
    assert arguments == ['{"city":"Paris","days":[1,2]}', '{"city":"Rome"}']
    assert response.model == "gpt-5-mini-2025-08-07"
    assert response.id.startswith("resp_")


def check_response_answer(response: Response) -> None:
    """The second reply is the text, with the scripted usage."""
    assert response.output_text == SAID
    assert (response.usage.input_tokens, response.usage.output_tokens) == (120, 30)
    assert response.usage.input_tokens_details.cached_tokens == 20


def test_responses_plain(start):
    """Responses: parallel calls, then an answer, with the conversation sent again or remembered."""
    with openai.OpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        asked = {"model": GPT, "tools": RESPONSES_TOOLS}
        first = client.responses.create(input=QUESTION, **asked)
        check_response_calls(first)
        followup = responses_followup(first)
        check_response_answer(client.responses.create(input=followup, **asked))
        remembered = client.responses.create(input=followup[-2:], previous_response_id=first.id, **asked)
        check_response_answer(remembered)


async def test_responses_streamed_async(start):
    """Responses by the asynchronous stream helper; events are numbered without a gap."""
    async with openai.AsyncOpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        async with client.responses.stream(model=GPT, input=QUESTION, tools=RESPONSES_TOOLS) as stream:
            numbers = [event.sequence_number async for event in stream]
            first = await stream.get_final_response()
        check_response_calls(first)
        assert numbers == list(range(len(numbers)))
        followup = responses_followup(first)
        async with client.responses.stream(model=GPT, input=followup, tools=RESPONSES_TOOLS) as stream:
            deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            check_response_answer(await stream.get_final_response())
    assert "".join(deltas) == SAID
    assert len(deltas) > 5


def test_responses_streamed(start):
    """``create(stream=True)`` gives a function call's arguments in fragments that add up."""
    with openai.OpenAI(base_url=f"{start(SCRIPT)}/v1", api_key="simulated") as client:
        events = list(client.responses.create(model=GPT, input=QUESTION, stream=True))
    fragments = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(fragments) == '{"city":"Paris","days":[1,2]}{"city":"Rome"}'
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


def test_responses_parse(start):
    """A structured answer comes back as the model that was asked for."""
    with openai.OpenAI(base_url=f"{start(JSON_SCRIPT)}/v1", api_key="simulated") as client:
        response = client.responses.parse(
            model=GPT, instructions="Reply with a mark.", input="Judge this.", text_format=Ruling
        )
    assert response.output_parsed == Ruling(mark=4, reason="Polite, and firm.")


def claude_followup(first: Message) -> list[dict]:
    """The conversation after the tools ran."""
    calls = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"{temperature} °C"}
        for call, temperature in zip(calls, (18, 24), strict=True)
    ]
    said = [block.model_dump(exclude_none=True) for block in first.content]
    return [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": said},
        {"role": "user", "content": results},
    ]


def check_claude_calls(message: Message) -> None:
    """The first reply speaks and makes two calls."""
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in message.content[1:]] == [{"city": "Paris", "days": [1, 2]}, {"city": "Rome"}]
    assert message.content[1].id.startswith("toolu_01")
    assert message.model == "claude-haiku-4-5-20251001"


def check_claude_answer(message: Message) -> None:
    """The second reply is the text, with the scripted usage: cached tokens are counted apart."""
    assert message.stop_reason == "end_turn"
    assert message.content[0].text == SAID
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (100, 20, 30)


def test_messages_plain(start):
    """Messages: parallel calls, then an answer to their results."""
    with anthropic.Anthropic(base_url=start(SCRIPT), api_key="simulated") as client:
        asked = {"model": CLAUDE, "tools": CLAUDE_TOOLS, "max_tokens": 500}
        first = client.messages.create(messages=[{"role": "user", "content": QUESTION}], **asked)
        check_claude_calls(first)
        check_claude_answer(client.messages.create(messages=claude_followup(first), **asked))


async def test_messages_streamed_async(start):
    """Messages by the asynchronous stream helper: the collected stream equals the plain reply."""
    async with anthropic.AsyncAnthropic(base_url=start(SCRIPT), api_key="simulated") as client:
        asked = {"model": CLAUDE, "tools": CLAUDE_TOOLS, "max_tokens": 500}
        async with client.messages.stream(messages=[{"role": "user", "content": QUESTION}], **asked) as stream:
            first = await stream.get_final_message()
        check_claude_calls(first)
        async with client.messages.stream(messages=claude_followup(first), **asked) as stream:
            pieces = [piece async for piece in stream.text_stream]
            check_claude_answer(await stream.get_final_message())
    assert "".join(pieces) == SAID
    assert len(pieces) > 2


def test_messages_streamed(start):
    """``create(stream=True)`` gives the events in the provider's order."""
    with anthropic.Anthropic(base_url=start(SCRIPT), api_key="simulated") as client:
        asked = {"model": CLAUDE, "max_tokens": 500, "stream": True}
        events = list(client.messages.create(messages=[{"role": "user", "content": QUESTION}], **asked))
    kinds = [event.type for event in events if event.type != "content_block_delta"]
    block = ["content_block_start", "content_block_stop"]
    assert kinds == ["message_start", *block * 3, "message_delta", "message_stop"]


def test_messages_parse(start):
    """A structured answer comes back as the model that was asked for."""
    with anthropic.Anthropic(base_url=start(JSON_SCRIPT), api_key="simulated") as client:
        message = client.messages.parse(
            model=CLAUDE,
            max_tokens=200,
            system="Reply with a mark.",
            messages=[{"role": "user", "content": "Judge this."}],
            output_format=Ruling,
        )
    assert message.parsed_output == Ruling(mark=4, reason="Polite, and firm.")


STOPS = """
match: {user: Hello}
rules:
  - {when: {user: long}, say: Once upon a, stop: length}
  - {when: {user: bad}, say: I can't help with that., stop: refusal}
"""


@pytest.mark.parametrize("stream", [False, True])
def test_length_and_refusal_take_each_providers_form(start, stream):
    """A reply that is cut short or refused says so in the provider's words, plain and streamed."""
    url = start(STOPS)
    with openai.OpenAI(base_url=f"{url}/v1", api_key="simulated") as client:
        chats, responses = [], []
        for words in ("Hello, a long one", "Hello, a bad one"):
            said = [{"role": "user", "content": words}]
            if stream:
                with client.chat.completions.stream(model=GPT, messages=said) as chunks:
                    for _ in chunks:
                        pass
                    chats.append(chunks.current_completion_snapshot.choices[0])
                events = list(client.responses.create(model=GPT, input=words, stream=True))
                assert events[-1].type == ("response.completed" if "bad" in words else "response.incomplete")
                responses.append(events[-1].response)
            else:
                chats.append(client.chat.completions.create(model=GPT, messages=said).choices[0])
                responses.append(client.responses.create(model=GPT, input=words))
    assert [choice.finish_reason for choice in chats] == ["length", "stop"]
    assert chats[1].message.refusal == "I can't help with that."
    assert not chats[1].message.content
    assert responses[0].incomplete_details.reason == "max_output_tokens"
    assert responses[1].output[0].content[0].refusal == "I can't help with that."
    with anthropic.Anthropic(base_url=url, api_key="simulated") as client:
        stops = []
        for words in ("Hello, a long one", "Hello, a bad one"):
            asked = {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "user", "content": words}]}
            if stream:
                with client.messages.stream(**asked) as events:
                    stops.append(events.get_final_message().stop_reason)
            else:
                stops.append(client.messages.create(**asked).stop_reason)
    assert stops == ["max_tokens", "refusal"]
