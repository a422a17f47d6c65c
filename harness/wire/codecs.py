"""The codec of each protocol: pure functions between a provider's JSON and our records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from harness.records.base import JsonObject
from harness.records.message import Api, ModelReply, ModelRequest, Usage
from harness.wire import anthropic_messages, openai_chat, openai_responses
from harness.wire.failures import broken_reply

__all__ = ["Codec", "codec_for"]


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
    fold: Callable[[Iterable[JsonObject]], JsonObject]
    """A stream's events to the body that ``read_reply`` takes; the same errors."""
    read_usage: Callable[[JsonObject], Usage | None]
    """The tokens under ``usage`` of a body; None where nothing is said."""
    text_delta: Callable[[JsonObject], str | None]
    """The piece of the answer's text that an event brings."""


def _checked(read: Callable[[JsonValue], ModelReply]) -> Callable[[JsonValue], ModelReply]:
    """Turn what no record can hold, such as half a surrogate pair or bottomless nesting, into a broken reply."""

    def read_reply(body: JsonValue) -> ModelReply:
        try:
            _assert_writable(body)  # or else that would show long after it was paid for
            return read(body)
        except (UnicodeEncodeError, ValidationError, RecursionError) as error:
            raise broken_reply("it holds text or nesting that can't be kept") from error

    return read_reply


def _assert_writable(body: JsonValue) -> None:
    """Raise what writing the body as JSON would raise."""
    try:
        to_json(body)
    except ValueError:  # Pydantic's does not nest as deep as Python's
        json.dumps(body, ensure_ascii=False).encode()


_CODECS = {
    api: Codec(
        path=module.PATH,
        encode=module.encode,
        read_request=module.read_request,
        read_reply=_checked(module.read_reply),
        fold=module.fold,
        read_usage=module.read_usage,
        text_delta=module.text_delta,
    )
    for api, module in (
        (Api.OPENAI_CHAT, openai_chat),
        (Api.OPENAI_RESPONSES, openai_responses),
        (Api.ANTHROPIC_MESSAGES, anthropic_messages),
    )
}


def codec_for(api: Api) -> Codec:
    """The codec of a protocol."""
    return _CODECS[api]
