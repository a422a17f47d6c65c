"""What calls cost, against sums made by hand from the providers' published prices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from genai_prices import data_snapshot

from harness.records.message import Api, Usage
from harness.records.price import Price
from harness.wire.prices import Cost, Terms, cost_of
from tests.wire.replies import answered, model_call, responds, traced

M = 1_000_000
CACHED = Usage(input_tokens=10_000, cached_input_tokens=6_000, cache_write_tokens=1_000, output_tokens=500)
MODERN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        # 4,000 at 0.25, of which 1,000 written at no other price; 6,000 at 0.025; 500 at 2
        ("gpt-5-mini", CACHED, "0.00215"),
        # 4,000 at 0.40; 6,000 at 0.10; 500 at 1.60
        ("gpt-4.1-mini-2025-04-14", CACHED, "0.003"),
        # 3,000 at 1; 6,000 at 0.10; 1,000 at 1.25; 500 at 5
        ("claude-haiku-4-5-20251001", CACHED, "0.00735"),
        # a dated version with prices of its own: 5 and 15, where later ones cost 2.50 and 10
        ("gpt-4o-2024-05-13", Usage(input_tokens=M, output_tokens=M), "20"),
        ("gpt-4o-2024-08-06", Usage(input_tokens=M, output_tokens=M), "12.5"),
        # written for an hour: twice the input price; for five minutes: 1.25 times
        (
            "claude-haiku-4-5",
            Usage(input_tokens=2000, cache_write_tokens=2000, cache_write_1h_tokens=1000),
            "0.00325",
        ),
        # searches at 10.00 a thousand
        ("claude-haiku-4-5", Usage(input_tokens=1000, web_searches=1000), "10.001"),
        # a prompt of more than 200,000 tokens costs twice as much
        ("claude-sonnet-4-5", Usage(input_tokens=M), "6"),
        ("claude-sonnet-4-5", Usage(input_tokens=100_000), "0.3"),
    ],
)
def test_published_prices(model: str, usage: Usage, cost: str) -> None:
    """Cached tokens are part of the prompt, and are not paid twice."""
    assert cost_of(usage, [model], {}, Terms(at=MODERN)) == Cost(Decimal(cost))


def test_the_amount_is_written_without_zeros_at_its_end_and_without_an_exponent() -> None:
    """Results are compared to the byte."""
    assert str(cost_of(Usage(input_tokens=8 * M), ["gpt-5"], {}, Terms(at=MODERN)).usd) == "10"
    assert str(cost_of(Usage(input_tokens=1), ["gpt-5-nano"], {}, Terms(at=MODERN)).usd) == "5E-8"


def test_the_projects_own_price_comes_first() -> None:
    """Where a project says nothing of a cache, all tokens of a prompt cost the same."""
    own = {"gpt-5-mini": Price(Decimal(1), Decimal(2))}
    assert cost_of(CACHED, ["gpt-5-mini-2025-08-07"], own, Terms(at=MODERN)) == Cost(Decimal("0.011"))
    assert cost_of(CACHED, ["tuned", "gpt-5-mini"], own, Terms(at=MODERN)) == Cost(Decimal("0.011"))


@pytest.mark.parametrize(
    ("usage", "price", "reason"),
    [
        (Usage(input_tokens=9, cache_write_tokens=9, cache_write_1h_tokens=9), Price(Decimal(1), Decimal(2)), "1h"),
        (Usage(input_tokens=9, web_searches=1), Price(Decimal(1), Decimal(2)), "web searches"),
        (Usage(input_tokens=9, audio_input_tokens=1), Price(Decimal(1), Decimal(2)), "audio"),
    ],
)
def test_what_an_own_price_does_not_say_is_unknown(usage: Usage, price: Price, reason: str) -> None:
    """It is no other price's either."""
    cost = cost_of(usage, ["m"], {"m": price}, Terms())
    assert cost.usd is None
    assert reason in cost.unknown


PLAIN = Usage(input_tokens=M)


@pytest.mark.parametrize(
    ("models", "terms", "cost", "reason"),
    [
        (["no-such-model"], Terms(), None, "give the price of no-such-model in [tool.harness.prices]"),
        (["gpt-5"], Terms(said={"service_tier": "default"}), "1.25", ""),
        (["gpt-5"], Terms(said={"service_tier": "priority"}), "2.5", ""),
        (["gpt-5"], Terms(said={"service_tier": "scale"}), None, "the price of gpt-5 at service_tier scale"),
        (["claude-haiku-4-5"], Terms(said={"service_tier": "standard"}), "1", ""),
        (["claude-haiku-4-5"], Terms(said={"service_tier": "priority"}), None, "at service_tier priority"),
        (["claude-haiku-4-5"], Terms(said={"inference_geo": "global"}), "1", ""),
        (["claude-haiku-4-5"], Terms(said={"inference_geo": "us"}), None, "at inference_geo us is not known"),
        (
            ["claude-haiku-4-5"],
            Terms(said={"server_tools": "code_execution_requests"}),
            None,
            "code_execution_requests",
        ),
        (["gpt-5"], Terms(said={"requested_tier": "flex"}), None, "at requested_tier flex is not known"),
        (["gpt-5"], Terms(said={"requested_tier": "auto"}), "1.25", ""),
        (["gpt-5"], Terms(uri="https://eu.api.openai.com/v1/responses"), None, "the prices at eu.api.openai.com"),
        (["gpt-5"], Terms(paid_tools=("code_interpreter",)), None, "it is billed for code_interpreter"),
        (["gpt-4o-search-preview"], Terms(), None, "billed for each search"),
        (["gpt-5"], Terms(uri="http://127.0.0.1:8177/v1/chat/completions"), "1.25", ""),
        (["gpt-5"], Terms(uri="https://api.openai.com/v1/chat/completions"), "1.25", ""),
        (["gpt-5"], Terms(uri="https://api.anthropic.com/v1/messages"), None, "give the price of gpt-5"),
    ],
)
def test_what_changes_a_price(models: list[str], terms: Terms, cost: str | None, reason: str) -> None:
    """The tier that a reply names, the place it was asked at, tools that are billed: known, or unknown by name."""
    found = cost_of(PLAIN, models, {}, Terms(terms.uri, MODERN, terms.said, terms.paid_tools))
    assert found.usd == (None if cost is None else Decimal(cost))
    assert reason in found.unknown


@pytest.mark.parametrize("kind", ["web_search_call", "file_search_call", "code_interpreter_call"])
def test_tools_at_the_provider_that_are_billed_make_the_cost_unknown(kind: str) -> None:
    """Their price is in no figure of the reply; the tokens are known all the same."""
    body = responds([{"type": kind, "id": "i"}], usage={"input_tokens": 9, "output_tokens": 2})
    trace = traced(answered(Api.OPENAI_RESPONSES, body | {"model": "gpt-5"}))
    call = model_call(trace)
    assert (call.cost_usd, trace.cost_usd) == (None, None)
    assert call.cost_unknown == f"it is billed for {kind.removesuffix('_call')}, and does not say how much"
    assert trace.usage == Usage(input_tokens=9, output_tokens=2)


def test_a_tier_that_was_asked_for_and_not_confirmed_is_unknown() -> None:
    """A reply that names its tier is believed; one that does not may have been processed either way."""
    body = {"model": "gpt-5", "choices": [{"message": {"content": "Hi"}}]}
    body["usage"] = {"prompt_tokens": M, "completion_tokens": 0}
    asked = model_call(traced(answered(Api.OPENAI_CHAT, body, service_tier="flex")))
    assert asked.cost_unknown == "the price of gpt-5 at requested_tier flex is not known"
    confirmed = model_call(traced(answered(Api.OPENAI_CHAT, {**body, "service_tier": "default"}, service_tier="flex")))
    assert confirmed.cost_usd == Decimal("1.25")


def test_what_the_agent_does_to_decimals_and_to_the_list_changes_no_cost() -> None:
    """Both are global to the process."""
    usage = Usage(input_tokens=123_457)
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=[], from_auto_update=True))
    try:
        with localcontext(prec=3):
            cost = cost_of(usage, ["gpt-5-nano"], {}, Terms(at=MODERN))
    finally:
        data_snapshot.set_custom_snapshot(None)
    assert cost.usd == Decimal("0.00617285")
