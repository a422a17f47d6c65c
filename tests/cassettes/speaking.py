"""Sends a recorded request the way a user of its provider would, and reads the reply as they would."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2
import openai

from harness.records.exchange import Exchange, HttpRequest

__all__ = ["expected", "spoken"]

_BY_STATUS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 429: "HTTPStatusError"}
"""What a reply of that status is raised as; the one 429 is Gemini's, which no SDK here reads."""


def spoken(request: HttpRequest) -> list[Any]:
    """What the official SDK makes of the reply, or a plain client where the provider has no SDK here.

    One item, as JSON, for a reply that came whole, one per event for a stream, and last the name of what was raised.
    """
    path = urlsplit(request.uri).path
    found: list[Any] = []
    try:
        if path.endswith(("/chat/completions", "/responses")):
            found.extend(_by_openai(request))
        elif path.endswith("/v1/messages"):
            found.extend(_by_anthropic(request))
        else:
            found.extend(_by_hand(request))
    except (anthropic.APIError, openai.APIError, httpx2.HTTPStatusError) as error:
        found.append(type(error).__name__)
    return found


def expected(exchange: Exchange) -> list[Any]:
    """The same, read from the recording without any SDK."""
    response = exchange.response
    if response.status >= 400:
        return [_BY_STATUS[response.status]]
    kind = dict(response.headers).get("content-type", "")
    if "vnd.amazon.eventstream" in kind:
        return list(_frames(response.body))
    if "event-stream" not in kind:
        return [json.loads(response.body)]
    events = list(_events(response.body))
    failing = next((number for number, event in enumerate(events) if event.get("error")), None)
    return events if failing is None else [*events[:failing], "APIError"]


def _by_openai(request: HttpRequest) -> Iterator[Any]:
    parts, body = urlsplit(request.uri), json.loads(request.body)
    base = f"{parts.scheme}://{parts.netloc}"
    client: openai.OpenAI
    if "/deployments/" in parts.path:
        client = openai.AzureOpenAI(
            azure_endpoint=base,
            azure_deployment=parts.path.split("/")[3],
            api_version=parts.query.removeprefix("api-version="),
            api_key="test",
            max_retries=0,
        )
    else:
        root = parts.path.removesuffix("/chat/completions").removesuffix("/responses")
        client = openai.OpenAI(base_url=base + root, api_key="sk-test", max_retries=0)
    with client:
        given: Any = {"extra_body": body} | ({"stream": True} if body.get("stream") else {})
        if parts.path.endswith("/responses"):
            reply = client.responses.create(**given)
        else:
            reply = client.chat.completions.create(model=body.get("model", openai.omit), messages=[], **given)
        yield from _read(reply)


def _by_anthropic(request: HttpRequest) -> Iterator[Any]:
    parts, body = urlsplit(request.uri), json.loads(request.body)
    with anthropic.Anthropic(
        base_url=f"{parts.scheme}://{parts.netloc}", api_key="sk-ant-test", max_retries=0
    ) as client:
        given: Any = {"extra_body": body} | ({"stream": True} if body.get("stream") else {})
        given["extra_headers"] = {name: value for name, value in request.headers if name.startswith("anthropic-")}
        query = {"beta": "true"} if "beta" in parts.query else None
        create = client.messages.create
        yield from _read(create(model="m", max_tokens=1, messages=[], extra_query=query, **given))


def _read(reply: Any) -> Iterator[Any]:
    """A whole reply, or each event of a stream to its end."""
    if hasattr(reply, "to_dict"):
        yield reply.to_dict(mode="json")
        return
    with reply:
        yield from (event.to_dict(mode="json") for event in reply)


def _by_hand(request: HttpRequest) -> list[Any]:
    with httpx2.Client() as client:
        reply = client.request(
            request.method, request.uri, content=request.body, headers={"content-type": "application/json"}
        )
        reply.raise_for_status()
        if "eventstream" in reply.headers.get("content-type", ""):
            return list(_frames(reply.content))
        return [reply.json()]


def _events(body: bytes) -> Iterator[Any]:
    for line in body.decode().splitlines():
        name, _, data = line.partition(":")
        if name == "data" and data.strip() != "[DONE]":
            event = json.loads(data)
            if event.get("type") != "ping":
                yield event


def _frames(body: bytes) -> Iterable[Any]:
    """The payloads of an Amazon event stream; each frame's two checksums hold."""
    while body:
        size, header_size, check = struct.unpack(">III", body[:12])
        assert zlib.crc32(body[:8]) == check
        assert zlib.crc32(body[: size - 4]) == struct.unpack(">I", body[size - 4 : size])[0]
        yield json.loads(body[12 + header_size : size - 4])
        body = body[size:]
