"""What OpenAI's two protocols share: keys, errors and headers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from harness.providers.simulated.identifiers import Identifiers
from harness.providers.simulated.reply import RejectedError, Reply
from harness.records.base import JsonObject
from harness.wire.shapes import objects_at, text_at

__all__ = ["OpenAIProvider", "joined_text", "missing", "pretty_json"]

_REQUESTS_LIMIT = 5_000
_TOKENS_LIMIT = 4_000_000
_SERVER_FAULT = "The server had an error while processing your request. Sorry about that!"
_OVERLOADED = "The engine is currently overloaded, please try again later"

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
_USUAL: dict[int, tuple[str, str, str | None]] = {
    400: ("Invalid request.", "invalid_request_error", None),
    401: (_NO_KEY, "invalid_request_error", None),
    403: ("You are not allowed to sample from this model.", "invalid_request_error", None),
    404: ("The requested resource does not exist.", "invalid_request_error", None),
    408: ("Request timed out.", "timeout", None),
    409: ("The resource was changed by another request.", "invalid_request_error", None),
    413: ("The request is too large.", "invalid_request_error", None),
    429: ("Rate limit reached on requests per min (RPM).", "requests", "rate_limit_exceeded"),
    503: (_OVERLOADED, "server_error", "service_unavailable"),
    529: (_OVERLOADED, "server_error", None),
}
_QUOTA = "You exceeded your current quota, please check your plan and billing details."


class OpenAIProvider:
    """Keys, errors and headers of ``api.openai.com``."""

    def admit(self, headers: Mapping[str, str]) -> None:
        """Any key that is not empty will do. Raises :class:`RejectedError` with 401."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise RejectedError(401)

    def success_headers(self, reply: Reply) -> list[tuple[str, str]]:
        """Request id, processing time and rate limits."""
        left = max(_TOKENS_LIMIT - reply.usage.input_tokens, 0)
        return [
            *_head(reply.ids, reply.slow.head_ms),
            ("x-ratelimit-limit-requests", str(_REQUESTS_LIMIT)),
            ("x-ratelimit-limit-tokens", str(_TOKENS_LIMIT)),
            ("x-ratelimit-remaining-requests", str(_REQUESTS_LIMIT - 1)),
            ("x-ratelimit-remaining-tokens", str(left)),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "0s"),
        ]

    def refuse(self, rejection: RejectedError, ids: Identifiers) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of an error."""
        headers = _head(ids, 0)
        message, kind, code = _USUAL.get(rejection.status, (_SERVER_FAULT, "server_error", None))
        if rejection.code == "insufficient_quota":
            message, kind = _QUOTA, "insufficient_quota"
        if rejection.retry_after is not None:
            headers.append(("retry-after-ms", str(round(rejection.retry_after * 1000))))
            headers.append(("retry-after", str(math.ceil(rejection.retry_after))))
        if rejection.status == 429:
            headers.append(("x-ratelimit-limit-requests", str(_REQUESTS_LIMIT)))
            headers.append(("x-ratelimit-remaining-requests", "0"))
        error: JsonObject = {
            "message": rejection.message or message,
            "type": kind,
            "param": rejection.param,
            "code": rejection.code or code,
        }
        return headers, pretty_json({"error": error})


def missing(param: str) -> RejectedError:
    """A field that a request can't do without."""
    text = f"Missing required parameter: '{param}'."
    return RejectedError(400, text, param=param, code="missing_required_parameter")


def joined_text(message: JsonObject) -> str:
    """A message's text, whether its content is one text or a list of parts; images and files have none."""
    parts = objects_at(message, "content")
    return text_at(message, "content") or "\n".join(text_at(part, "text") or text_at(part, "refusal") for part in parts)


def pretty_json(value: JsonObject) -> bytes:
    """JSON as OpenAI lays it out in plain responses."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def _head(ids: Identifiers, milliseconds: float) -> list[tuple[str, str]]:
    return [
        ("openai-organization", "simulated"),
        ("openai-processing-ms", str(max(round(milliseconds), 1))),
        ("openai-version", "2020-10-01"),
        ("x-request-id", f"req_{ids.hexadecimal(32, 'request')}"),
    ]
