"""Reads what happened off the wire: exchanges in, ordered events out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from urllib.parse import urlsplit

from harness.errors import ProviderError
from harness.records.exchange import Ending, Exchange
from harness.records.message import (
    Api,
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)
from harness.records.price import Price
from harness.records.trace import Event, HttpCall, ModelCall, SystemPrompt, ToolCalled, UserTurn
from harness.wire.codecs import codec_for
from harness.wire.prices import cost_of, find_price
from harness.wire.responses import read_response
from harness.wire.split import api_of

__all__ = ["read_events", "total_cost", "total_usage"]


def read_events(
    played: Iterable[tuple[Exchange, int]], turns: Sequence[str], prices: Mapping[str, Price]
) -> tuple[Event, ...]:
    """The events of a trial.

    ``played`` holds each exchange with the number of the user turn it belongs to, in order; ``turns`` what the user
    said; ``prices`` the project's own, by model.
    """
    reader = _Reader(turns, prices)
    for exchange, user_turn in played:
        reader.begin_turn(user_turn)
        reader.add(exchange)
    reader.begin_turn(len(turns))
    return tuple(reader.finish())


def total_usage(events: Iterable[Event]) -> Usage:
    """The tokens of all model calls together."""
    return sum((event.usage for event in events if isinstance(event, ModelCall) and event.usage), Usage())


def total_cost(events: Iterable[Event]) -> Decimal | None:
    """The cost of all model calls that were answered; None where one of them is unknown."""
    costs = [event.cost_usd for event in events if isinstance(event, ModelCall) and event.reply is not None]
    return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))


class _Reader:
    def __init__(self, turns: Sequence[str], prices: Mapping[str, Price]) -> None:
        self._events: list[Event] = []
        self._turns = turns
        self._prices = prices
        self._user_turn = 0
        self._calls = 0
        self._system: str | None = None
        self._conversations: list[tuple[Message, ...]] = []
        self._results: dict[str, ToolResult] = {}

    def begin_turn(self, number: int) -> None:
        while self._user_turn < number:
            self._user_turn += 1
            self._events.append(UserTurn(number=self._user_turn, text=self._turns[self._user_turn - 1]))

    def add(self, exchange: Exchange) -> None:
        self._calls += 1
        api = api_of(urlsplit(exchange.request.uri).path)
        request = _read_request(api, exchange) if api else None
        if api is None or request is None:
            self._add_http_call(exchange)
            return
        if request.system != self._system:
            self._system = request.system
            self._events.append(SystemPrompt(text=request.system))
        sent = self._new_messages(request)
        reply, error = _read_reply(api, exchange)
        price = find_price(reply.model, self._prices) or find_price(request.model, self._prices) if reply else None
        self._events.append(
            ModelCall(
                turn=self._calls,
                user_turn=self._user_turn,
                api=api,
                model=request.model,
                sent=sent,
                tools=tuple(tool.name for tool in request.tools),
                streamed=request.stream,
                status=exchange.response.status,
                reply=reply.message if reply else None,
                stop=reply.stop if reply else None,
                usage=reply.usage if reply else None,
                cost_usd=cost_of(reply.usage, price) if reply and reply.usage and price else None,
                error=error,
                started=exchange.started,
                duration=exchange.duration,
            )
        )
        if reply:
            self._events.extend(_tool_called(call, self._calls) for call in reply.message.tool_calls)
        self._conversations.append((*request.messages, *((reply.message,) if reply else ())))

    def _add_http_call(self, exchange: Exchange) -> None:
        self._events.append(
            HttpCall(
                turn=self._calls,
                method=exchange.request.method,
                uri=exchange.request.uri,
                status=exchange.response.status,
                started=exchange.started,
                duration=exchange.duration,
            )
        )

    def _new_messages(self, request: ModelRequest) -> tuple[Message, ...]:
        """What this request adds, without what the user's turn and the tool calls already show."""
        known = max((_common_length(request.messages, other) for other in self._conversations), default=0)
        fresh = request.messages[known:]
        for message in fresh:
            if isinstance(message, ToolResult):
                self._results.setdefault(message.call_id, message)
        said = self._turns[self._user_turn - 1] if self._user_turn else None
        return tuple(
            message
            for message in fresh
            if not isinstance(message, ToolResult) and not (isinstance(message, UserMessage) and message.text == said)
        )

    def finish(self) -> Iterator[Event]:
        """The events, each tool call with the result that a later request carried."""
        for event in self._events:
            if isinstance(event, ToolCalled) and event.call_id in self._results:
                result = self._results[event.call_id]
                yield event.model_copy(update={"result": result.content, "is_error": result.is_error})
            else:
                yield event


def _tool_called(call: ToolCall, turn: int) -> ToolCalled:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = call.arguments
    return ToolCalled(turn=turn, call_id=call.id, name=call.name, arguments=arguments, result=None)


def _read_request(api: Api, exchange: Exchange) -> ModelRequest | None:
    """None where the body is not one of this protocol: it is then shown as the plain exchange that it is."""
    try:
        return codec_for(api).read_request(json.loads(exchange.request.body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_reply(api: Api, exchange: Exchange) -> tuple[ModelReply | None, str | None]:
    response = exchange.response
    content_type = dict(response.headers).get("content-type", "")
    try:
        return read_response(api, response.status, content_type, response.body), None
    except ProviderError as error:
        broke = "" if response.ending is Ending.COMPLETE else f" (the response ended {response.ending})"
        return None, f"{error}{broke}"


def _common_length(messages: Sequence[Message], other: Sequence[Message]) -> int:
    count = 0
    for left, right in zip(messages, other, strict=False):
        if not _same(left, right):
            break
        count += 1
    return count


def _same(left: Message, right: Message) -> bool:
    """Equal for a reader: a reply comes back without what only its provider understands."""
    if isinstance(left, AssistantMessage) and isinstance(right, AssistantMessage):
        return (left.text, left.tool_calls) == (right.text, right.tool_calls)
    return left == right
