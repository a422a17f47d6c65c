"""Sorts what went wrong with a model call into the classes that an agent recovers by."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import JsonValue

from harness.errors import FatalError, LogicError, ModelError, ProviderError, TransientError
from harness.records.base import JsonObject
from harness.wire.shapes import object_at, text_at

__all__ = ["broken_reply", "classify", "read_retry_after"]

_FATAL = {
    "access_terminated", "account_deactivated", "authentication_error", "billing_error", "billing_hard_limit_reached",
    "billing_not_active", "insufficient_quota", "invalid_api_key", "invalid_authentication", "invalid_organization",
    "model_not_found", "not_found_error", "permission_denied", "permission_error",
    "unsupported_country_region_territory",
}  # fmt: skip
_MODEL = {
    "content_filter", "content_policy_violation", "context_length_exceeded", "invalid_prompt", "refusal",
    "request_too_large", "responsible_ai_policy_violation",
}  # fmt: skip
_TRANSIENT = {
    "api_error", "deadline_exceeded", "engine_overloaded", "internal_error", "internal_server_error",
    "overloaded_error", "rate_limit_error", "rate_limit_exceeded", "server_error", "server_is_overloaded",
    "service_unavailable", "slow_down", "timeout", "timeout_error", "vector_store_timeout",
}  # fmt: skip
_BY_CODE: Mapping[str, type[ProviderError]] = {
    **dict.fromkeys(_FATAL, FatalError),
    **dict.fromkeys(_MODEL, ModelError),
    **dict.fromkeys(_TRANSIENT, TransientError),
}
_BY_TEXT: Mapping[str, type[ProviderError]] = {
    "credit balance is too low": FatalError,
    "maximum context length": ModelError,
    "prompt is too long": ModelError,
    "token limit reached": ModelError,
}
"""Anthropic reports these as a plain ``invalid_request_error``, and gateways without any code."""
_BY_STATUS: Mapping[int, type[ProviderError]] = {
    **dict.fromkeys((401, 402, 403, 404), FatalError),
    **dict.fromkeys((408, 409, 425, 429), TransientError),
    413: ModelError,
}
_LONGEST_TEXT = 500


def classify(status: int | None, body: JsonValue, headers: Mapping[str, str] | None = None) -> ProviderError:
    """The error that a response stands for: its type or code decides, then its status.

    ``status`` is None for an error that arrived inside a stream, after a 200. ``headers`` have lower-case names.
    """
    error = _find_error(body)
    codes = [text for key in ("code", "type") if (text := text_at(error, key))]
    number = error.get("code")
    if status is None and isinstance(number, int) and 400 <= number < 600:
        status = number  # OpenRouter reports the upstream's status inside the stream
    message = text_at(error, "message") or (body if isinstance(body, str) else "")
    kind = _choose(codes, message, status)
    code = next((code for code in codes if code in _BY_CODE), next(iter(codes), None))
    parts = " ".join(str(part) for part in (status, code) if part)
    reason = " ".join(message.split())[:_LONGEST_TEXT] or "no reason given"
    text = f"the provider answered {parts or 'with an error'}: {reason}"
    if kind is TransientError:
        return TransientError(text, status=status, code=code, retry_after=read_retry_after(headers or {}))
    return kind(text, status=status, code=code)


def broken_reply(what: str) -> TransientError:
    """The error for a reply that arrived as a success and can't be used."""
    return TransientError(f"the provider's reply is broken: {what}")


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a provider asks us to wait; None where it does not say. Dates need a wall clock: left out."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _choose(codes: list[str], message: str, status: int | None) -> type[ProviderError]:
    for code in codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    for text, kind in _BY_TEXT.items():
        if text in message.lower():
            return kind
    if status is None:
        # The request was accepted, so what broke off later is the provider's, unless it says that the request is wrong.
        return LogicError if "invalid_request_error" in codes else TransientError
    return TransientError if status >= 500 else _BY_STATUS.get(status, LogicError)


def _find_error(body: JsonValue) -> JsonObject:
    """The object with type, code and message, wherever a provider, an SDK or a stream event puts it."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    inner = object_at(body, "error") or object_at(object_at(body, "response"), "error")
    if inner:
        return inner
    if isinstance(body.get("error"), str):
        return {"message": body["error"], **{key: body[key] for key in ("type", "code") if key in body}}
    return body
