"""The codec of each protocol: pure functions between a provider's JSON and our records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from harness.records.base import JsonObject
from harness.records.message import Api, ModelReply, ModelRequest
from harness.wire import (
    anthropic_messages,
    anthropic_stream,
    openai_chat,
    openai_chat_stream,
    openai_responses,
    openai_responses_stream,
)
from harness.wire.failures import broken_reply
from harness.wire.folding import Folded
from harness.wire.shapes import without_half_characters

__all__ = ["Codec", "codec_for"]


class Fold(Protocol):
    """Joins the events of a stream."""

    def __call__(self, events: Iterable[JsonObject], *, done: bool = False) -> Folded:
        """The reply as far as it came. ``done``: whether ``[DONE]`` ended the stream."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one protocol is written and read."""

    path: str
    """What follows the base URL of the provider's SDK."""
    encode: Callable[[ModelRequest], JsonObject]
    """A request's body."""
    read_request: Callable[[JsonObject], ModelRequest]
    """The inverse of ``encode``, for any body of the protocol; ``ValueError`` where it is none."""
    read_reply: Callable[[JsonValue], ModelReply]
    """A reply's body, or the :class:`harness.errors.ProviderError` that it stands for."""
    fold: Fold
    """A stream's events to the body that ``read_reply`` takes, as far as they came."""
    text_delta: Callable[[JsonObject], str | None]
    """The piece of the answer's text that an event brings."""


def _checked(read: Callable[[JsonValue], ModelReply]) -> Callable[[JsonValue], ModelReply]:
    """Read half a surrogate pair as U+FFFD, and turn what no record can hold into a broken reply."""

    def read_reply(body: JsonValue) -> ModelReply:
        try:
            return read(_writable(body))
        except (ValidationError, RecursionError) as error:
            raise broken_reply("it holds nesting that can't be kept") from error

    return read_reply


def _writable(body: JsonValue) -> JsonValue:
    """The body in a form that can be written as JSON, or else that would fail long after it was paid for."""
    try:
        to_json(body)
    except ValueError:  # half a character, or nesting that is deeper than Pydantic goes
        return without_half_characters(body)
    return body


_CODECS = {
    api: Codec(
        path=module.PATH,
        encode=module.encode,
        read_request=module.read_request,
        read_reply=_checked(module.read_reply),
        fold=stream.fold,
        text_delta=stream.text_delta,
    )
    for api, module, stream in (
        (Api.OPENAI_CHAT, openai_chat, openai_chat_stream),
        (Api.OPENAI_RESPONSES, openai_responses, openai_responses_stream),
        (Api.ANTHROPIC_MESSAGES, anthropic_messages, anthropic_stream),
    )
}


def codec_for(api: Api) -> Codec:
    """The codec of a protocol."""
    return _CODECS[api]
