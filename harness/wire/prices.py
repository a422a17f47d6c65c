"""What a model call costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from harness.records.message import Usage
from harness.records.price import Price

__all__ = ["PRICES", "cost_of", "find_price"]


def _price(input_: str, output: str, cached: str | None = None, write: str | None = None) -> Price:
    return Price(
        Decimal(input_),
        Decimal(output),
        Decimal(cached) if cached is not None else None,
        Decimal(write) if write is not None else None,
    )


PRICES: Mapping[str, Price] = {
    "gpt-5": _price("1.25", "10", "0.125"),
    "gpt-5-mini": _price("0.25", "2", "0.025"),
    "gpt-5-nano": _price("0.05", "0.40", "0.005"),
    "gpt-4.1": _price("2", "8", "0.50"),
    "gpt-4.1-mini": _price("0.40", "1.60", "0.10"),
    "gpt-4.1-nano": _price("0.10", "0.40", "0.025"),
    "gpt-4o": _price("2.50", "10", "1.25"),
    "gpt-4o-mini": _price("0.15", "0.60", "0.075"),
    "claude-opus-4-5": _price("5", "25", "0.50", "6.25"),
    "claude-sonnet-4-5": _price("3", "15", "0.30", "3.75"),
    "claude-sonnet-4-6": _price("3", "15", "0.30", "3.75"),
    "claude-sonnet-4": _price("3", "15", "0.30", "3.75"),
    "claude-haiku-4-5": _price("1", "5", "0.10", "1.25"),
}
"""List prices as their providers published them in early 2026. ``[tool.harness.prices]`` comes before them."""

_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
_MILLION = Decimal(1_000_000)


def find_price(model: str, own: Mapping[str, Price]) -> Price | None:
    """The price of a model, by its name or its name without the date; None where nobody said."""
    undated = _DATE.sub("", model)
    for table in (own, PRICES):
        found = table.get(model) or table.get(undated)
        if found:
            return found
    return None


def cost_of(usage: Usage, price: Price) -> Decimal:
    """US dollars, exact, of one call's tokens."""
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    cached = price.input if price.cached_input is None else price.cached_input
    write = price.input if price.cache_write is None else price.cache_write
    total = (
        plain * price.input
        + usage.cached_input_tokens * cached
        + usage.cache_write_tokens * write
        + usage.output_tokens * price.output
    )
    return total / _MILLION
