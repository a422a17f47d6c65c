"""Which error a response stands for."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import FatalError, LogicError, ModelError, ProviderError, TransientError
from harness.wire.failures import classify, read_retry_after


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (429, {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}, FatalError),
        (429, {"error": {"type": "tokens", "code": "rate_limit_exceeded"}}, TransientError),
        (429, {"error": {"type": "requests", "code": None}}, TransientError),
        (404, {"error": {"type": "invalid_request_error", "code": "model_not_found"}}, FatalError),
        (400, {"error": {"type": "invalid_request_error", "code": "context_length_exceeded"}}, ModelError),
        (
            400,
            {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9"}},
            ModelError,
        ),
        (
            400,
            {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access"}},
            FatalError,
        ),
        (400, {"error": {"type": "invalid_request_error", "message": "Missing messages"}}, LogicError),
        (401, "<html>", FatalError),
        (402, {}, FatalError),
        (403, {"error": "forbidden"}, FatalError),
        (404, {}, FatalError),
        (408, {}, TransientError),
        (409, {}, TransientError),
        (413, {}, ModelError),
        (418, {}, LogicError),
        (422, {}, LogicError),
        (425, {}, TransientError),
        (429, {}, TransientError),
        (307, {}, LogicError),
        (500, "<html>", TransientError),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, TransientError),
        (500, {"error": {"type": "insufficient_quota"}}, FatalError),
        (None, {"error": {"message": "Upstream", "code": 502}}, TransientError),
        (None, {"error": {"message": "Upstream", "code": 401}}, FatalError),
        (None, {"type": "error", "error": {"type": "overloaded_error"}}, TransientError),
        (None, {"error": {"type": "invalid_request_error"}}, LogicError),
        (None, {"error": {"type": "something_new"}}, TransientError),
        (None, "what", TransientError),
        (None, {"response": {"error": {"code": "insufficient_quota"}}}, FatalError),
        (400, [{"error": {"code": "invalid_api_key"}}], FatalError),
    ],
)
def test_type_or_code_decides_before_status(status: int | None, body: Any, wanted: type[ProviderError]) -> None:
    """The table of the reference agent's error classes."""
    assert type(classify(status, body)) is wanted


def test_the_text_names_status_code_and_reason() -> None:
    """One line, bounded, with what a user needs to search for."""
    error = classify(429, {"error": {"code": "rate_limit_exceeded", "message": "Slow\n  down " + "x" * 900}})
    assert str(error).startswith("the provider answered 429 rate_limit_exceeded: Slow down xxx")
    assert len(str(error)) < 600
    assert (error.status, error.code) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], wanted: float | None) -> None:
    """Milliseconds come first; what is no number of seconds is not said."""
    assert read_retry_after(headers) == wanted
    error = classify(429, {}, headers)
    assert isinstance(error, TransientError)
    assert error.retry_after == wanted
