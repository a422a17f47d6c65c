"""What a project wants kept off the disk, beyond the secrets that are looked for anyway."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records.base import Record

__all__ = ["Redaction"]


class Redaction(Record):
    """Further secrets, which are masked, and values that are redacted: a pseudonym stands in their place."""

    variables: tuple[str, ...] = ()
    """Names of environment variables whose values are secret."""
    secrets: tuple[str, ...] = ()
    """Patterns of further secrets."""
    patterns: Mapping[str, str] = {}
    """Patterns of values to redact, by the name that stands in their place."""
    paths: tuple[str, ...] = ()
    """Dotted paths in JSON bodies to redact; ``*`` is every item of a list or object."""
    emails: bool = False
    """Whether e-mail addresses are redacted."""
