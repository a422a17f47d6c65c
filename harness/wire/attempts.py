"""Reads each exchange as a request to a model, and folds what was sent again after a failure into one call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from harness.errors import ProviderError
from harness.records.base import JsonObject, Nanoseconds
from harness.records.exchange import Ending, Exchange, HttpResponse
from harness.records.json_text import read_json
from harness.records.message import Api, ModelReply, ModelRequest, Usage
from harness.records.trace import FailedAttempt
from harness.wire.codecs import codec_for
from harness.wire.failures import read_retry_after
from harness.wire.responses import read_response
from harness.wire.shapes import object_at, without_nulls
from harness.wire.split import api_of
from harness.wire.sse import is_event_stream, read_sse

__all__ = ["Attempt", "Call", "fold_retries", "read_attempt"]

_NO_RESPONSE = 0
"""The status of an exchange in which no response arrived."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One request to a model, and what came of it."""

    number: int
    """The number of its exchange in the trial, from 1."""
    user_turn: int
    api: Api
    exchange: Exchange
    request: ModelRequest
    reply: ModelReply | None
    error: str | None
    """Why there is no reply."""

    @property
    def ended(self) -> Nanoseconds:
        """When the last byte had arrived."""
        return self.exchange.started + self.exchange.duration

    @property
    def usage(self) -> Usage | None:
        """What the reply took; of a stream that broke off, what it had reported until then."""
        return self.reply.usage if self.reply else _reported_usage(self.api, self.exchange.response)

    def failed(self) -> FailedAttempt:
        """The record of an attempt that came to nothing."""
        response = self.exchange.response
        wait = read_retry_after(dict(response.headers))
        return FailedAttempt(
            turn=self.number,
            status=response.status,
            error=self.error or "",
            started=self.exchange.started,
            duration=self.exchange.duration,
            retry_after=None if wait is None else round(wait * 1_000_000_000),
            usage=self.usage,
        )


@dataclass(slots=True, eq=False)
class Call:
    """A call of a model: its attempts in order, of which only the last may have a reply."""

    agent: tuple[str, frozenset[str]]
    """What makes the agent that sends it, as far as the wire shows: its instructions and the names of its tools."""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def last(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1]

    @property
    def request(self) -> ModelRequest:
        """What every attempt sent."""
        return self.last.request

    @property
    def reply(self) -> ModelReply | None:
        """None where the last attempt failed as well."""
        return self.last.reply

    @property
    def began(self) -> Nanoseconds:
        """When the first attempt was sent."""
        return self.attempts[0].exchange.started

    @property
    def ended(self) -> Nanoseconds:
        """When the last one was over."""
        return self.last.ended


def read_attempt(number: int, user_turn: int, exchange: Exchange) -> Attempt | None:
    """The exchange as a request to a model; None where it is none of a protocol that we read."""
    api = api_of(urlsplit(exchange.request.uri).path)
    if api is None:
        return None
    try:
        request = codec_for(api).read_request(read_json(exchange.request.body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    reply, error = _read_reply(api, exchange.response)
    return Attempt(number, user_turn, api, exchange, request, reply, error)


def fold_retries(attempts: Iterable[Attempt]) -> list[Call]:
    """The calls, in the order of their first attempts.

    A request goes on with an earlier call if it is the same to the byte, in the same user turn, and was sent after that
    call had failed. A call that was answered is never gone on with, nor is one that was still under way.
    """
    calls: list[Call] = []
    failed: dict[tuple[object, ...], list[Call]] = defaultdict(list)
    for attempt in attempts:
        sent = attempt.exchange.request
        same = failed[attempt.user_turn, sent.method, sent.uri, sent.body]
        over = [call for call in same if call.ended <= attempt.exchange.started]
        if over:
            call = min(over, key=lambda call: (call.ended, call.last.number))
            same.remove(call)
        else:
            call = Call((attempt.request.system, frozenset(tool.name for tool in attempt.request.tools)))
            calls.append(call)
        call.attempts.append(attempt)
        if attempt.reply is None:
            same.append(call)
    return calls


def _read_reply(api: Api, response: HttpResponse) -> tuple[ModelReply | None, str | None]:
    if response.status == _NO_RESPONSE:
        return None, f"no response arrived ({response.reason})" if response.reason else "no response arrived"
    content_type = dict(response.headers).get("content-type", "")
    try:
        return read_response(api, response.status, content_type, response.body), None
    except ProviderError as error:
        broke = "" if response.ending is Ending.COMPLETE else f" (the response ended {response.ending})"
        return None, f"{error}{broke}"


def _reported_usage(api: Api, response: HttpResponse) -> Usage | None:
    if not 200 <= response.status < 300 or not is_event_stream(
        dict(response.headers).get("content-type", ""), response.body
    ):
        return None
    usage: JsonObject = {}
    try:
        for event in read_sse(response.body):
            for holder in (event, object_at(event, "message"), object_at(event, "response")):
                usage |= without_nulls(object_at(holder, "usage"))
    except ProviderError:
        return None
    return codec_for(api).read_usage({"usage": usage})
