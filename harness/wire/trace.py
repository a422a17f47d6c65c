"""Reads what happened off the wire: exchanges in, ordered events out. ``docs/trace.md`` holds the rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote, urljoin, urlsplit

from pydantic import JsonValue

from harness.records.exchange import Exchange
from harness.records.json_text import read_json
from harness.records.message import Api, Message, ModelReply, ToolResult, Usage, UserMessage
from harness.records.price import Price
from harness.records.trace import Event, HttpCall, ModelCall, SystemPrompt, ToolCalled, UserTurn
from harness.wire.attempts import Attempt, fold_retries, read_attempts
from harness.wire.client_items import offered_name
from harness.wire.conversations import Placed, ToolUse, find_conversations
from harness.wire.mcp import listed_tools
from harness.wire.model_apis import can_call_tools, name_model_api, takes_tokens
from harness.wire.prices import Cost, Terms, cost_of
from harness.wire.provider_tools import paid_tools, provider_tools
from harness.wire.relations import Standing, relate
from harness.wire.shapes import text_at, without_half_characters

__all__ = ["in_order", "read_events"]

_REDIRECTS = (307, 308)
"""The two with which a client sends the same method and body again."""
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/")


def read_events(
    played: Iterable[tuple[Exchange, int]],
    turns: Sequence[str],
    prices: Mapping[str, Price],
    outputs: Sequence[JsonValue] = (),
    at: datetime | None = None,
) -> tuple[Event, ...]:
    """The events of a trial.

    ``played`` holds each exchange with the number of the user turn it belongs to; it is read in the order in which the
    requests were sent, and where that says nothing in the order given. ``turns`` is what the user said, ``outputs``
    what the agent answered, where known; ``prices`` the project's own, by model; ``at`` when it was recorded, for the
    prices of that day.
    """
    ordered = in_order(played)
    moved = {number: place for number in range(1, len(ordered) + 1) if (place := _redirected_to(ordered, number - 1))}
    numbered = [(number, turn, each) for number, (each, turn) in enumerate(ordered, 1)]
    attempts, others = read_attempts(each for each in numbered if each[0] not in moved)
    others += [each for each in numbered if each[0] in moved]
    placed = find_conversations(fold_retries(attempts), turns)
    writer = _Writer(turns, prices, relate(placed, turns, outputs) if placed else [], _listed(attempts), at)
    first: dict[int, Placed | tuple[int, HttpCall]] = {each.call.attempts[0].number: each for each in placed}
    first |= {number: (turn, _http_call(number, exchange, moved.get(number, ""))) for number, turn, exchange in others}
    for number in sorted(first):
        writer.add(first[number])
    return writer.finish()


def in_order(played: Iterable[tuple[Exchange, int]]) -> list[tuple[Exchange, int]]:
    """Exchanges with their user turns as events number them, from 1: by turn, then by when they were sent."""
    return sorted(played, key=lambda each: (each[1], each[0].started))


class _Writer:
    def __init__(
        self,
        turns: Sequence[str],
        prices: Mapping[str, Price],
        standings: Sequence[Standing],
        listed: Mapping[str, tuple[str, ...]],
        at: datetime | None,
    ) -> None:
        self._at = at
        self._listed = listed
        self._turns = turns
        self._prices = prices
        self._standings = {id(standing.thread): standing for standing in standings}
        self._numbers = {key: standing.number for key, standing in self._standings.items()}
        self._events: list[Event] = []
        self._user_turn = 0
        self._systems: dict[int, str] = {}

    def add(self, step: Placed | tuple[int, HttpCall]) -> None:
        """Add a call with the tools that it asked for, or an exchange of another kind in its user turn."""
        if isinstance(step, Placed):
            self._begin_turn(step.call.last.user_turn)
            self._add_call(step)
        else:
            self._begin_turn(step[0])
            self._events.append(step[1])

    def finish(self) -> tuple[Event, ...]:
        """All events, the user turns without a call among them."""
        self._begin_turn(len(self._turns))
        return tuple(self._events)

    def _begin_turn(self, number: int) -> None:
        while self._user_turn < number:
            self._user_turn += 1
            self._events.append(UserTurn(number=self._user_turn, text=self._turns[self._user_turn - 1]))

    def _add_call(self, placed: Placed) -> None:
        call, key = placed.call, id(placed.thread)
        number = self._numbers[key]
        if key not in self._systems and len(self._numbers) > 1:
            self._events.append(self._standings[key].record(self._numbers))
        if self._systems.get(key) != call.request.system:
            self._systems[key] = call.request.system
            self._events.append(SystemPrompt(text=call.request.system, conversation=number))
        event = self._model_call(placed, number)
        self._events.append(event)
        if event.reply is not None:
            self._events.extend(provider_tools(event.reply, event.tools, event.turn))
        self._events.extend(_tool_called(use, event) for use in placed.tools)

    def _model_call(self, placed: Placed, number: int) -> ModelCall:
        call, last = placed.call, placed.call.last
        request, reply, usage = call.request, call.reply, last.usage
        cost = self._cost(last, reply, usage) if reply and usage else Cost(None)
        deployment = _deployment(last.exchange.request.uri)
        model = request.model or deployment
        return ModelCall(
            turn=last.number,
            polls=tuple(number for number, _ in last.polls),
            conversation=number,
            linked=placed.linked,
            unsure=placed.unsure,
            attempts=tuple(attempt.failed() for attempt in call.attempts[:-1]),
            user_turn=last.user_turn,
            api=last.api,
            model=model,
            answered_by=reply.model if reply and (deployment or not model or _is_azure(last)) else "",
            sent=self._said_anew(placed),
            tools=_offered(last, self._listed),
            servers=tuple(name for name, tools in last.servers.items() if tools is None and name not in self._listed),
            streamed=request.stream,
            status=last.exchange.response.status,
            reply=reply.message if reply else None,
            others=reply.others if reply else (),
            unread=reply.unread if reply else (),
            stop=reply.stop if reply else None,
            usage=usage,
            usage_unknown=_unknown_usage(last) if usage is None else "",
            cost_usd=cost.usd,
            cost_unknown=cost.unknown,
            error=last.error,
            started=last.exchange.started,
            duration=last.ended - last.exchange.started,
        )

    def _cost(self, last: Attempt, reply: ModelReply, usage: Usage) -> Cost:
        models = [model for model in (reply.model, last.request.model) if model]
        paid = paid_tools(reply.message)
        asked = text_at(last.request.settings, "service_tier")
        said = reply.terms if "service_tier" in reply.terms or not asked else {**reply.terms, "requested_tier": asked}
        terms = Terms(last.exchange.request.uri, self._at, said, paid)
        return cost_of(usage, models or [""], self._prices, terms)

    def _said_anew(self, placed: Placed) -> tuple[Message, ...]:
        """What the request adds, without what the user's turn and the tool calls already show."""
        said = self._turns[self._user_turn - 1] if self._user_turn else None
        unasked = {id(result) for result in placed.unasked}
        return tuple(
            message
            for message in placed.fresh
            if not (isinstance(message, UserMessage) and message.text == said)
            and not (isinstance(message, ToolResult) and id(message) not in unasked)
        )


def _unknown_usage(attempt: Attempt) -> str:
    """Why a reply's usage is unknown; empty where there is no reply."""
    if attempt.reply is None:
        return ""
    return "was not read to its end" if attempt.error is not None else attempt.reply.usage_unknown


def _listed(attempts: Iterable[Attempt]) -> dict[str, tuple[str, ...]]:
    """The tools that MCP servers listed in any reply, by server."""
    listed: dict[str, tuple[str, ...]] = {}
    for attempt in attempts:
        if attempt.servers and attempt.reply is not None:
            listed |= listed_tools(attempt.reply.message.raw)
    return listed


def _offered(attempt: Attempt, listed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The names of the tools that a request offers, those of its MCP servers included."""
    names = [tool.name for tool in attempt.request.tools]
    for server, allowed in attempt.servers.items():
        names += listed.get(server, ()) if allowed is None else allowed
    return tuple(dict.fromkeys(names))


def _redirected_to(ordered: Sequence[tuple[Exchange, int]], index: int) -> str:
    """The place to which an exchange was redirected and the same request then sent; empty for none."""
    exchange, user_turn = ordered[index]
    sent, answer = exchange.request, exchange.response
    if answer.status not in _REDIRECTS:
        return ""
    place = dict(answer.headers).get("location")
    target = urljoin(sent.uri, place) if place else None
    for later, turn in ordered[index + 1 :]:
        again = later.request
        same = (again.method, again.body) == (sent.method, sent.body) and again.uri != sent.uri
        over = exchange.started + exchange.duration <= later.started
        if turn == user_turn and same and over and target in (None, again.uri):
            return again.uri
    return ""


def _deployment(uri: str) -> str:
    """The deployment that a path of Azure names; empty for any other."""
    found = _DEPLOYMENT.search(urlsplit(uri).path)
    return unquote(found[1]) if found else ""


def _is_azure(attempt: Attempt) -> bool:
    """Whether the model in a request's body may be a deployment, which goes by any name."""
    return (urlsplit(attempt.exchange.request.uri).hostname or "").endswith(".azure.com")


def _http_call(number: int, exchange: Exchange, redirected_to: str) -> HttpCall:
    api = "" if redirected_to else name_model_api(exchange.request.uri)
    answered = 200 <= exchange.response.status < 300 and exchange.request.method != "DELETE"
    return HttpCall(
        turn=number,
        method=exchange.request.method,
        uri=exchange.request.uri,
        status=exchange.response.status,
        redirected_to=redirected_to,
        model_api=api,
        takes_tokens=answered and takes_tokens(api),
        hides_tools=answered and can_call_tools(api),
        started=exchange.started,
        duration=exchange.duration,
    )


def _tool_called(use: ToolUse, asked: ModelCall) -> ToolCalled:
    arguments, not_json = _read_arguments(use.call.arguments)
    name = use.call.name
    return ToolCalled(
        turn=asked.turn,
        call_id=use.call.id,
        name=offered_name(name, asked.tools) if asked.api is Api.OPENAI_RESPONSES else name,
        arguments=arguments,
        not_json=not_json,
        result=use.result.content if use.result else None,
        is_error=use.result.is_error if use.result else False,
    )


def _read_arguments(text: str) -> tuple[JsonValue, bool]:
    if not text.strip():
        return {}, False  # what some models send to a tool without parameters
    try:
        return without_half_characters(read_json(text)), False
    except (ValueError, RecursionError):
        return text, True
