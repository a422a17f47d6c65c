"""What a project wants kept off the disk. Free of Pydantic: the settings that every pytest session reads hold it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Redaction"]


@dataclass(frozen=True, slots=True)
class Redaction:
    """Secrets beyond those that are looked for anyway, and values to redact: a pseudonym stands in their place."""

    variables: tuple[str, ...] = ()
    """Names of environment variables whose values are secret."""
    secrets: tuple[str, ...] = ()
    """Patterns of further secrets."""
    patterns: tuple[tuple[str, str], ...] = ()
    """What stands in the place of values to redact, and their pattern."""
    paths: tuple[str, ...] = ()
    """Dotted paths in JSON bodies to redact; ``*`` is every item of a list or object."""
    emails: bool = False
    """Whether e-mail addresses are redacted."""
