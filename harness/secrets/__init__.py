"""What counts as a secret, where one stands in a text, and what stands in its place once it is masked."""

from __future__ import annotations

from harness.secrets.findings import Finding, replaced, resized
from harness.secrets.masks import MASK
from harness.secrets.packing import unpacked
from harness.secrets.rules import is_random
from harness.secrets.search import Secrets, declared_redaction, declaring, known_secrets
from harness.secrets.values import is_secret_value

__all__ = [
    "MASK",
    "Finding",
    "Secrets",
    "declared_redaction",
    "declaring",
    "is_random",
    "is_secret_value",
    "known_secrets",
    "replaced",
    "resized",
    "unpacked",
]
