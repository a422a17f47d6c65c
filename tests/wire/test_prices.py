"""What calls cost, against sums made by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.records.message import Usage
from harness.records.price import Price
from harness.wire.prices import cost_of, find_price

CACHED = Usage(input_tokens=10_000, cached_input_tokens=6_000, cache_write_tokens=1_000, output_tokens=500)


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        (
            "gpt-5-mini",
            "0.0021500",
        ),  # 4,000 at 0.25, of which 1,000 written at no other price; 6,000 at 0.025; 500 at 2
        ("gpt-4.1-mini-2025-04-14", "0.0030000"),  # 4,000 at 0.40; 6,000 at 0.10; 500 at 1.60
        ("claude-haiku-4-5-20251001", "0.0073500"),  # 3,000 at 1; 6,000 at 0.10; 1,000 at 1.25; 500 at 5
    ],
)
def test_cached_tokens_have_their_own_price(model: str, cost: str) -> None:
    """Tokens read from a cache and written to it are part of the prompt, and are not paid twice."""
    price = find_price(model, {})
    assert price is not None
    assert cost_of(CACHED, price) == Decimal(cost)


def test_the_projects_own_price_comes_first() -> None:
    """Where a project says nothing of a cache, all tokens of a prompt cost the same."""
    own = {"gpt-5-mini": Price(Decimal(1), Decimal(2))}
    price = find_price("gpt-5-mini-2025-08-07", own)
    assert price is not None
    assert cost_of(CACHED, price) == Decimal("0.011")
    assert find_price("no-such-model", own) is None
