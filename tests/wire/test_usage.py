"""What a reply took is read from whatever figures make sense, and is unknown where they don't."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records.message import Api, Usage
from harness.records.scenario import Limits
from harness.scorers.checks import check_limits
from harness.wire.prices import Terms, cost_of
from harness.wire.sums import unknown_cost, unknown_tokens
from harness.wire.usage import billing_terms, read_usage
from tests.wire.replies import answered, chunk, model_call, responds, sse, traced

M = 1_000_000


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, Usage(input_tokens=9, output_tokens=2)),
        (
            {"prompt_tokens": 9.0, "completion_tokens": 2.0, "total_tokens": 11.0},
            Usage(input_tokens=9, output_tokens=2),
        ),
        ({"input_tokens": 9, "output_tokens": 2}, Usage(input_tokens=9, output_tokens=2)),
        ({"prompt_tokens": 9, "input_tokens": 0, "completion_tokens": 2}, Usage(input_tokens=9, output_tokens=2)),
        (
            {
                "prompt_tokens": 21,
                "completion_tokens": 0,
                "total_tokens": 90_021,
                "completion_tokens_details": {"reasoning_tokens": 90_000},
            },
            Usage(input_tokens=21, output_tokens=90_000, reasoning_tokens=90_000),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "total_tokens": 14,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(input_tokens=9, output_tokens=5, reasoning_tokens=5),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5},
            Usage(input_tokens=9, output_tokens=2, cached_input_tokens=4),
        ),
        (
            {"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 10},
            Usage(input_tokens=119, output_tokens=2, cached_input_tokens=100, cache_write_tokens=10),
        ),
        (
            {"prompt_tokens": 119, "completion_tokens": 2, "cache_read_input_tokens": 100},
            Usage(input_tokens=119, output_tokens=2, cached_input_tokens=100),
        ),
        (
            {
                "input_tokens": 0,
                "output_tokens": 2,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            },
            Usage(input_tokens=30, output_tokens=2, cache_write_tokens=30, cache_write_1h_tokens=20),
        ),
        (
            {"input_tokens": 9, "output_tokens": 2, "server_tool_use": {"web_search_requests": 3}},
            Usage(input_tokens=9, output_tokens=2, web_searches=3),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"audio_tokens": 3}},
            Usage(input_tokens=9, output_tokens=4, audio_input_tokens=3),
        ),
    ],
)
def test_figures_that_make_sense(given: dict[str, Any], wanted: Usage) -> None:
    """Under each provider's names, counted inside or beside."""
    assert read_usage({"usage": given}).usage == wanted


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "says no usage"),
        ({}, "says no usage"),
        ([], "says no usage"),
        ({"total_tokens": 90_000}, "says total_tokens, and not how many tokens went in and came out"),
        (
            {"prompt_tokens": None, "completion_tokens": 5, "total_tokens": 90_005},
            "says completion_tokens, total_tokens",
        ),
        ({"promptTokenCount": 9}, "says promptTokenCount, and not"),
        ({"prompt_tokens": 9.5, "completion_tokens": 2}, "says prompt_tokens 9.5, which is no count"),
        ({"prompt_tokens": "9", "completion_tokens": 2}, "says prompt_tokens '9', which is no count"),
        ({"prompt_tokens": True, "completion_tokens": 2}, "says prompt_tokens True, which is no count"),
        ({"prompt_tokens": -9, "completion_tokens": 2}, "says prompt_tokens -9, which can't be"),
        ({"prompt_tokens": 10**12, "completion_tokens": 2}, "which can't be"),
        ({"prompt_tokens": float("inf"), "completion_tokens": 2}, "which is no count"),
        ({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 500}, "speaks of 500 tokens in all"),
        ({"prompt_tokens": 9, "input_tokens": 8, "completion_tokens": 2}, "says different things under"),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, "says that no tokens went in"),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 500_000}},
            "speaks of 500,000 cached tokens in a prompt of 10",
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}},
            "speaks of 6 reasoning tokens among 5",
        ),
        (
            {
                "input_tokens": 9,
                "output_tokens": 2,
                "cache_creation_input_tokens": 5,
                "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 1},
            },
            "speaks of 5 tokens written to the cache",
        ),
        ({"input_tokens": 9, "output_tokens": 2, "iterations": [{}, {}]}, "was made in several iterations"),
    ],
)
def test_figures_that_make_no_sense_are_unknown(given: Any, reason: str) -> None:
    """With what the reply says, so that a reader can look."""
    read = read_usage({"usage": given})
    assert read.usage is None
    assert reason in read.unknown


NUMBERS = st.none() | st.integers(-5, 10**7) | st.integers(10**8, 10**14) | st.floats() | st.booleans() | st.text()
DETAILS = st.dictionaries(
    st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_tokens", "thinking_tokens"]),
    NUMBERS,
)
USAGES = st.dictionaries(
    st.sampled_from(
        [
            *("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"),
            *("prompt_cache_hit_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            *("prompt_tokens_details", "completion_tokens_details", "cache_creation", "server_tool_use"),
        ]
    ),
    NUMBERS | DETAILS,
)


@settings(deadline=None, max_examples=500)
@given(USAGES)
def test_whatever_is_said_the_parts_fit_and_no_cost_is_below_nothing(usage: dict[str, Any]) -> None:
    """None with a reason, or whole numbers; a cost with a reason, or from 0 on."""
    read = read_usage({"usage": usage})
    assert (read.usage is None) == bool(read.unknown)
    if read.usage is not None:
        used = read.usage
        assert all(count >= 0 for count in used.model_dump().values())
        assert used.cached_input_tokens + used.cache_write_tokens <= used.input_tokens
        assert used.cache_write_1h_tokens <= used.cache_write_tokens
        assert max(used.reasoning_tokens, used.audio_output_tokens) <= used.output_tokens
        for model in ("gpt-5-mini", "claude-sonnet-4-5", "no-such-model"):
            cost = cost_of(used, [model], {}, Terms(said=billing_terms({"usage": usage})))
            assert (cost.usd is None) == bool(cost.unknown)
            assert cost.usd is None or cost.usd >= 0


CHAT, RESPONSES, ANTHROPIC = Api.OPENAI_CHAT, Api.OPENAI_RESPONSES, Api.ANTHROPIC_MESSAGES
TEXT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}


def replied(api: Api, usage: Any, *, stream: bool) -> Any:
    """A reply that says what it took."""
    whole = {
        CHAT: {"id": "c", "model": "gpt-5", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
        RESPONSES: responds([TEXT], id="r"),
        ANTHROPIC: {"id": "m", "model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "Hi"}]},
    }[api] | {"usage": usage}
    if not stream:
        return whole
    events = {
        CHAT: [chunk({"content": "Hi"}, "stop"), {"id": "c", "model": "gpt-5", "choices": [], "usage": usage}],
        RESPONSES: [{"type": "response.completed", "response": whole}],
        ANTHROPIC: [
            {"type": "message_start", "message": {**whole, "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
            {"type": "message_delta", "delta": {}, "usage": usage},
            {"type": "message_stop"},
        ],
    }[api]
    return sse(events)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", [CHAT, RESPONSES, ANTHROPIC])
def test_unknown_usage_is_unknown_in_every_protocol(api: Api, stream: bool) -> None:
    """Plain and streamed; no limit on tokens or cost passes."""
    trace = traced(answered(api, replied(api, {"total_tokens": 90_000}, stream=stream)))
    assert (trace.usage, trace.cost_usd, model_call(trace).usage) == (None, None, None)
    assert unknown_tokens(trace.events) == unknown_cost(trace.events)
    assert "in turn 1 says total_tokens" in unknown_tokens(trace.events)[0]
    for score in check_limits(Limits.model_validate({"tokens": 10**9, "cost_usd": "1000.00"}), trace):
        assert score.value is None
        assert score.reason.startswith("unknown: the reply of gpt-5-mini in turn 1 says total_tokens")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", [CHAT, RESPONSES, ANTHROPIC])
def test_one_protocols_figures_are_read_under_anothers(api: Api, stream: bool) -> None:
    """Gateways send a provider's own names through another protocol."""
    for usage in ({"prompt_tokens": 9, "completion_tokens": 2}, {"input_tokens": 9, "output_tokens": 2}):
        call = model_call(traced(answered(api, replied(api, usage, stream=stream))))
        assert call.usage == Usage(input_tokens=9, output_tokens=2)


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        ("https://api.openai.com/v1/embeddings", False),
        ("https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro:generateContent", False),
        ("https://api.cohere.com/v2/rerank", False),
        ("https://api.openai.com/v1/moderations", True),
        ("https://api.anthropic.com/v1/messages/count_tokens", True),
        ("https://example.org/tides", True),
    ],
)
def test_calls_that_are_not_read_are_in_no_sum(uri: str, known: bool) -> None:
    """The sum is unknown where they are billed."""
    other = answered(CHAT, {"ok": 1})
    other = other.model_copy(update={"request": other.request.model_copy(update={"uri": uri}), "started": 5 * 10**9})
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    trace = traced(answered(CHAT, replied(CHAT, usage, stream=False)), other)
    assert (trace.usage is not None) is known
