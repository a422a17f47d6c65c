"""Reads each exchange as a request to a model, and folds what was sent again after a failure into one call."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from harness.records.base import JsonObject, Nanoseconds
from harness.records.exchange import Ending, Exchange, HttpRequest
from harness.records.json_text import read_json
from harness.records.message import Api, ModelReply, ModelRequest, Usage
from harness.records.trace import FailedAttempt
from harness.wire.codecs import codec_for
from harness.wire.failures import read_retry_after
from harness.wire.mcp import offered_servers
from harness.wire.responses import Reading, read_response, read_stream, read_streamed
from harness.wire.shapes import object_at, without_half_characters, without_nulls
from harness.wire.split import api_of
from harness.wire.usage import read_usage

__all__ = ["Attempt", "Call", "fold_retries", "read_attempts"]

_NO_RESPONSE = 0
"""The status of an exchange in which no response arrived."""
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
"""What may be one: nearly always it is half of a pair."""
_STORED = re.compile(r"/responses/([^/]+?)(/cancel)?$")
"""Where a response that the provider keeps is asked for, or stopped."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One request to a model, and what came of it."""

    number: int
    """The number of its exchange in the trial, from 1."""
    user_turn: int
    api: Api
    exchange: Exchange
    request: ModelRequest
    servers: dict[str, tuple[str, ...] | None]
    """The MCP servers on offer, with the tools of each where the request says them."""
    reply: ModelReply | None
    """None where nothing of a reply arrived."""
    error: str | None
    """Why there is no whole reply."""
    polls: tuple[tuple[int, Exchange], ...] = ()
    """The exchanges that asked for a background response, with their numbers."""

    @property
    def ended(self) -> Nanoseconds:
        """When the last byte had arrived."""
        exchanges = (self.exchange, *(exchange for _, exchange in self.polls))
        return max(exchange.started + exchange.duration for exchange in exchanges)

    @property
    def usage(self) -> Usage | None:
        """What the reply took; where nothing of one arrived, what a stream had reported before it broke off."""
        return self.reply.usage if self.reply else _reported_usage(self.exchange)

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
            reply=self.reply.message if self.reply else None,
            unread=self.reply.unread if self.reply else (),
            usage=_reported_usage(self.exchange),
        )


@dataclass(slots=True, eq=False)
class Call:
    """A call of a model: its attempts in order, of which only the last may have a whole reply."""

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
        """None where nothing of a reply arrived in the last attempt."""
        return self.last.reply

    @property
    def failed(self) -> bool:
        """Whether even the last attempt brought no whole reply."""
        return self.last.error is not None

    @property
    def began(self) -> Nanoseconds:
        """When the first attempt was sent."""
        return self.attempts[0].exchange.started

    @property
    def ended(self) -> Nanoseconds:
        """When the last one was over."""
        return self.last.ended


def read_attempts(
    ordered: Iterable[tuple[int, int, Exchange]],
) -> tuple[list[Attempt], list[tuple[int, int, Exchange]]]:
    """The requests to a model, and all other exchanges. Each has its number and its user turn.

    What asks for a response that an earlier request began belongs to that request.
    """
    attempts: list[Attempt] = []
    others: list[tuple[int, int, Exchange]] = []
    by_id: dict[str, int] = {}
    for number, user_turn, exchange in ordered:
        known = by_id.get(_stored_id(exchange.request))
        if known is not None:
            attempts[known] = _with_poll(attempts[known], number, exchange)
            continue
        attempt = _read_attempt(number, user_turn, exchange)
        if attempt is None:
            others.append((number, user_turn, exchange))
            continue
        if attempt.reply is not None and attempt.reply.id:
            by_id[attempt.reply.id] = len(attempts)
        attempts.append(attempt)
    return attempts, others


def _read_attempt(number: int, user_turn: int, exchange: Exchange) -> Attempt | None:
    """The exchange as a request to a model; None where it is none of a protocol that we read."""
    api = api_of(urlsplit(exchange.request.uri).path)
    if api is None:
        return None
    try:
        body = read_json(exchange.request.body)
        if _HALF_CHARACTER.search(exchange.request.body):
            body = without_half_characters(body)
        request = codec_for(api).read_request(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    reply, error = _read_reply(api, exchange)
    return Attempt(number, user_turn, api, exchange, request, offered_servers(body), reply, error)


def _stored_id(request: HttpRequest) -> str:
    """The id of the response that a request asks the provider for."""
    found = _STORED.search(urlsplit(request.uri).path)
    if found is None or request.method not in ("GET", "POST") or (request.method == "POST") != bool(found[2]):
        return ""
    return found[1]


def _with_poll(attempt: Attempt, number: int, exchange: Exchange) -> Attempt:
    """The attempt with what a later request for its response brought, where that brought anything."""
    attempt = replace(attempt, polls=(*attempt.polls, (number, exchange)))
    read = read_response(attempt.api, exchange.response)
    if read_stream([exchange.response]) is not None:
        all_ = read_stream([attempt.exchange.response, *(each.response for _, each in attempt.polls)])
        read = read_streamed(attempt.api, all_) if all_ is not None else read
    if read.reply is None:
        return attempt
    return replace(attempt, reply=read.reply, error=_describe(read, exchange))


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
        if attempt.error is not None:
            same.append(call)
    return calls


def _read_reply(api: Api, exchange: Exchange) -> tuple[ModelReply | None, str | None]:
    response = exchange.response
    if response.status == _NO_RESPONSE:
        return None, f"no response arrived ({response.reason})" if response.reason else "no response arrived"
    read = read_response(api, response)
    return read.reply, _describe(read, exchange)


def _describe(read: Reading, exchange: Exchange) -> str | None:
    """Why the reply is not whole; None where it is."""
    if read.error is None:
        return None
    ending = exchange.response.ending
    if ending is Ending.ABANDONED:
        return f"the agent left before the reply was whole (the response ended {ending})"
    return f"{read.error}{'' if ending is Ending.COMPLETE else f' (the response ended {ending})'}"


def _reported_usage(exchange: Exchange) -> Usage | None:
    """What a stream had reported until it broke off."""
    response = exchange.response
    stream = read_stream([response]) if 200 <= response.status < 300 else None
    usage: JsonObject = {}
    for event in stream.events if stream else ():
        for holder in (event, object_at(event, "message"), object_at(event, "response")):
            usage |= without_nulls(object_at(holder, "usage"))
    return read_usage({"usage": usage}).usage
