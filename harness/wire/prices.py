"""Prices of model calls: by the project's own prices, else by those of the genai-prices library."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from importlib import import_module
from typing import Any

from harness.records.message import Usage
from harness.records.price import Price

__all__ = ["Cost", "Terms", "cost_of"]

_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
_MILLION = Decimal(1_000_000)
_LIST_PRICE = {
    "service_tier": ("auto", "default", "on_demand", "standard"),
    "speed": ("standard",),
    "inference_geo": ("global", "not_available"),
    "requested_tier": ("auto", "default", "standard_only"),
}
"""What a reply may say of itself, or a request that was not answered to it, at which the list price holds."""
_NEWEST = datetime.max.replace(tzinfo=UTC)
_REGION = re.compile(r"https://([a-z-]+\.api\.openai\.com)/")
"""Hosts of OpenAI that process in one region, at a surcharge."""
_BY_SEARCH = re.compile(r"-search-")
"""OpenAI's chat models that search with each call, which is billed by the piece and not said."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What beside tokens decides a call's price."""

    uri: str = ""
    """Where it was sent: the same model has other prices elsewhere."""
    at: datetime | None = None
    """When it was sent; None for the newest prices."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the reply says of itself: service tier, speed, place of inference, other server tools."""
    paid_tools: Sequence[str] = ()
    """Tools that ran at the provider and are billed by the piece or the minute."""


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars, exact; or why they are unknown."""

    usd: Decimal | None
    unknown: str = ""


def cost_of(usage: Usage, models: Sequence[str], own: Mapping[str, Price], terms: Terms) -> Cost:
    """The cost of one call. ``models``: the one that answered, then the one that was asked."""
    with localcontext(Context()):  # the agent may have set another precision
        return _cost_of(usage, models, own, terms)


def _cost_of(usage: Usage, models: Sequence[str], own: Mapping[str, Price], terms: Terms) -> Cost:
    if terms.paid_tools:
        return Cost(None, f"it is billed for {', '.join(terms.paid_tools)}, and does not say how much")
    for model in models:
        price = own.get(model) or own.get(_DATE.sub("", model))
        if price is not None:
            return _by_own(usage, price, model)
    if tools := terms.said.get("server_tools"):
        return Cost(None, f"it is billed for {tools}, and does not say how much")
    host = terms.uri.partition("?")[0]
    if region := _REGION.match(host):
        return Cost(None, f"the prices at {region[1]} are not known")
    other = tuple(sorted((key, value) for key, value in terms.said.items() if value not in _LIST_PRICE.get(key, ())))
    for model in models:
        found = _by_library(usage, model, host, terms.at, other)
        if found is not None:
            return found
    return Cost(None, f"give the price of {models[-1] or 'the model'} in [tool.harness.prices]")


def _by_own(usage: Usage, price: Price, model: str) -> Cost:
    for name, count, known in (
        ("cache_write_1h", usage.cache_write_1h_tokens, price.cache_write_1h),
        ("audio tokens", usage.audio_input_tokens + usage.audio_output_tokens, None),
        ("web searches", usage.web_searches, None),
    ):
        if count and known is None:
            return Cost(None, f"[tool.harness.prices] says nothing of {name} for {model}")
    written = usage.cache_write_tokens - usage.cache_write_1h_tokens
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    cached = price.input if price.cached_input is None else price.cached_input
    write = price.input if price.cache_write is None else price.cache_write
    total = (
        plain * price.input
        + usage.cached_input_tokens * cached
        + written * write
        + usage.cache_write_1h_tokens * (price.cache_write_1h or 0)
        + usage.output_tokens * price.output
    )
    return Cost(_plain(total / _MILLION))


@lru_cache(maxsize=8192)
def _by_library(
    usage: Usage, model: str, uri: str, at: datetime | None, other: tuple[tuple[str, str], ...]
) -> Cost | None:
    """The cost by the library's list; None where it does not know the model at the place it was asked for."""
    snapshot = _snapshot()
    try:
        provider = snapshot.find_provider(None, None, uri)
    except LookupError:
        provider = None  # a gateway, or a loopback port: by the maker's prices
    try:
        provider, info = snapshot.find_provider_model(model, provider, None, None)
    except LookupError:
        return None
    for key, value in other:
        if not any(dict(variant.when) == {key: value} for variant in info.price_variants or ()):
            return Cost(None, f"the price of {model} at {key} {value} is not known")
    if len(other) > 1:
        return Cost(
            None, f"the price of {model} at {' and '.join(f'{key} {value}' for key, value in other)} is not known"
        )
    if _BY_SEARCH.search(model):
        return Cost(None, f"{model} is billed for each search, and does not say how many")
    counts = _library_usage(usage)
    try:
        total = info.calc_price(
            counts,
            provider,
            genai_request_timestamp=at or _NEWEST,
            price_context=dict(other),
        ).total_price
    except ValueError as error:
        return Cost(None, f"the price of {model} can't be told: {error}")
    return Cost(_plain(total))


def _library_usage(usage: Usage) -> Any:
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "input_audio_tokens": usage.audio_input_tokens,
        "output_audio_tokens": usage.audio_output_tokens,
        "web_searches": usage.web_searches,
    }
    return _library().Usage(**{name: count for name, count in counts.items() if count})


def _plain(usd: Decimal) -> Decimal:
    """The same amount without zeros at its end, and without an exponent."""
    short = usd.normalize()
    return short.quantize(Decimal(1)) if short.as_tuple().exponent > 0 else short  # type: ignore[operator]


@lru_cache(maxsize=1)
def _library() -> Any:
    return import_module("genai_prices")


@lru_cache(maxsize=1)
def _snapshot() -> Any:
    """The list that the installed version carries: an agent may have put one of its own in the place of that in use."""
    providers = import_module("genai_prices.data").providers
    return import_module("genai_prices.data_snapshot").DataSnapshot(providers=providers, from_auto_update=False)
