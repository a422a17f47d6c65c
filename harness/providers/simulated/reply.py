"""What the simulated model says, before it takes a provider's shape."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from harness.providers.simulated.identifiers import Identifiers
from harness.providers.simulated.script import Cut, ScriptedCall, Slow
from harness.records.message import StopReason, Usage

__all__ = ["DroppedError", "RejectedError", "Reply", "arguments_text", "count_tokens", "dated", "tokens"]

_TOKEN = re.compile(r"\s?\w{1,7}|\s?[^\w\s]{1,3}|\s+")
_DATED = {
    "claude-3-5-haiku-latest": "claude-3-5-haiku-20241022",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
}


class RejectedError(Exception):
    """A request that is answered with an error status."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or status)
        self.status = status
        self.message = message
        """None: the provider's usual words for this status."""
        self.param = param
        self.code = code
        self.retry_after = retry_after
        """Seconds."""


class DroppedError(Exception):
    """A request that is not answered at all."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the model."""

    ids: Identifiers
    model: str
    created: int
    """Unix seconds; made up from the conversation, not from the wall."""
    text: str
    calls: tuple[ScriptedCall, ...]
    stop: StopReason
    usage: Usage
    slow: Slow
    cut: Cut | None


def dated(model: str) -> str:
    """The dated version that answers for an alias; other names come back as they are."""
    return _DATED.get(model, model)


def tokens(text: str) -> list[str]:
    """The text in pieces about as long as tokens, in order; together they are the text."""
    return _TOKEN.findall(text)


def count_tokens(reply_text: str, calls: tuple[ScriptedCall, ...]) -> int:
    """An estimate of the output's tokens: pieces of text, names and arguments, and a few for each call."""
    spent = len(tokens(reply_text))
    return spent + sum(8 + len(tokens(call.tool)) + len(tokens(arguments_text(call))) for call in calls)


def arguments_text(call: ScriptedCall) -> str:
    """The arguments as the model writes them."""
    if isinstance(call.arguments, str):
        return call.arguments
    return json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":"))
