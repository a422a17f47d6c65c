"""What the official SDKs make of a conversation: each protocol, sync and async, plain and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai

from harness.errors import ProviderError
from harness.records.message import (
    Api,
    AssistantMessage,
    Message,
    ModelRequest,
    ToolDefinition,
    ToolResult,
    UserMessage,
)
from harness.wire.codecs import codec_for
from tests.cassettes.scripted_wire import NUMBER

__all__ = ["Heard", "converse", "converse_async"]

MODEL = {Api.OPENAI_CHAT: "gpt-5-mini", Api.OPENAI_RESPONSES: "gpt-5-mini", Api.ANTHROPIC_MESSAGES: "claude-haiku-4-5"}
TOOL = ToolDefinition(name="look_up", description="Look something up.", parameters={"type": "object", "properties": {}})
_EXPECTED = (openai.OpenAIError, anthropic.AnthropicError, httpx2.HTTPError, ValueError)
"""What the SDKs raise where a provider fails them, and what comes through them from below and from broken JSON."""


@dataclass(slots=True)
class Heard:
    """The objects of one call, and the exception at its end."""

    objects: list[tuple[str, Any]] = field(default_factory=list)
    """The class and all fields of the reply, or of each event of a stream."""
    request_id: str | None = None
    failure: tuple[object, ...] = ()
    """The classes of the exception and of its causes, and what the provider said."""

    def add(self, thing: Any) -> None:
        """Note an object."""
        dump = thing.model_dump(mode="json", warnings=False) if hasattr(thing, "model_dump") else thing
        self.objects.append((type(thing).__name__, dump))

    def end(self, error: BaseException) -> None:
        """Note an exception."""
        chain: list[str] = []
        link: BaseException | None = error
        while link is not None and not type(link).__module__.startswith("httpcore"):  # below what we stand for
            chain.append(f"{type(link).__module__}.{type(link).__qualname__}")
            link = link.__cause__
        known = [getattr(error, name, None) for name in ("status_code", "body", "request_id", "code", "type")]
        said = str(error) if isinstance(error, openai.APIStatusError | anthropic.APIStatusError) else ""
        self.failure = (*chain, *known, said)


Patience = Callable[[int], float]
"""How many seconds call n waits for the next byte."""
Talk = Generator[dict[str, Any], Heard, list[Heard]]


def _talk(api: Api, calls: int, *, stream: bool) -> Talk:
    """An agent that sends back all that it heard: the bodies it sends, for what each call gave."""
    codec = codec_for(api)
    messages: list[Message] = [UserMessage(text="Hi — go on.")]
    heard: list[Heard] = []
    for _ in range(calls):
        request = ModelRequest(
            model=MODEL[api], system="Be brief.", messages=tuple(messages), tools=(TOOL,), stream=stream
        )
        call = yield codec.encode(request)
        heard.append(call)
        try:
            events = [data for _, data in call.objects if isinstance(data, dict)]
            reply = codec.read_reply(codec.fold(events).whole() if stream else (events[0] if events else None)).message
        except ProviderError as error:
            messages = [*messages[:1], UserMessage(text=f"{type(error).__name__} {error} {call.failure}")]
            continue
        messages += _answered(reply)
    return heard


def _answered(reply: AssistantMessage) -> list[Message]:
    results = [ToolResult(call_id=call.id, name=call.name, content=call.arguments) for call in reply.tool_calls]
    return [reply, *results] if results else [reply, UserMessage(text=f"You said {reply.text!r}. Go on.")]


def converse(api: Api, base: str, calls: int, patience: Patience, *, stream: bool) -> list[Heard]:
    """So many calls of the sync client."""
    talk = _talk(api, calls, stream=stream)
    body = next(talk)
    with httpx2.Client(trust_env=False, verify=False) as http, _client(api, base, http, "") as client:
        for number in range(calls):
            heard = Heard()
            try:
                answer = _method(api, client)(**body, **_options(number, patience))
                if stream:
                    for event in answer:
                        heard.add(event)
                else:
                    heard.add(answer)
                    heard.request_id = getattr(answer, "_request_id", None)
            except _EXPECTED as error:
                heard.end(error)
            try:
                body = talk.send(heard)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
    raise AssertionError("the agent asks as often as it was told to")


def converse_async(api: Api, base: str, calls: int, patience: Patience, *, stream: bool) -> list[Heard]:
    """So many calls of the async client."""
    return asyncio.run(_converse_async(api, base, calls, patience, stream=stream))


async def _converse_async(api: Api, base: str, calls: int, patience: Patience, *, stream: bool) -> list[Heard]:
    talk = _talk(api, calls, stream=stream)
    body = next(talk)
    async with (
        httpx2.AsyncClient(trust_env=False, verify=False) as http,
        _client(api, base, http, "Async") as client,
    ):
        for number in range(calls):
            heard = Heard()
            try:
                answer = await _method(api, client)(**body, **_options(number, patience))
                if stream:
                    async for event in answer:
                        heard.add(event)
                else:
                    heard.add(answer)
                    heard.request_id = getattr(answer, "_request_id", None)
            except _EXPECTED as error:
                heard.end(error)
            try:
                body = talk.send(heard)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
    raise AssertionError("the agent asks as often as it was told to")


def _options(number: int, patience: Patience) -> dict[str, Any]:
    return {"timeout": httpx2.Timeout(30, read=patience(number)), "extra_headers": {NUMBER: str(number)}}


def _client(api: Api, base: str, http: Any, prefix: str) -> Any:
    if api is Api.ANTHROPIC_MESSAGES:
        return getattr(anthropic, f"{prefix}Anthropic")(api_key="k", base_url=base, max_retries=0, http_client=http)
    return getattr(openai, f"{prefix}OpenAI")(api_key="k", base_url=f"{base}/v1", max_retries=0, http_client=http)


def _method(api: Api, client: Any) -> Any:
    if api is Api.ANTHROPIC_MESSAGES:
        return client.messages.create
    return client.chat.completions.create if api is Api.OPENAI_CHAT else client.responses.create
