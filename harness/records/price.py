"""What a model costs. Free of Pydantic, because the settings that every pytest session reads hold it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Price"]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    """For tokens read from the provider's cache; None where they cost as much as others."""
    cache_write: Decimal | None = None
    """For tokens written to the provider's cache; None where they cost as much as others."""
    cache_write_1h: Decimal | None = None
    """For tokens written to the provider's cache for an hour; None where nobody said."""
