"""What a project declares to be the same under another name. Free of Pydantic, because the settings hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Renames"]


@dataclass(frozen=True, slots=True)
class Renames:
    """Old names to new ones. Recordings under either name answer requests under either."""

    models: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Beginnings of addresses, such as ``https://gateway.example/openai``, or of paths, such as ``/openai/v1``."""
    used: set[tuple[str, str]] = field(default_factory=set, compare=False)
    """Kind and old name of those that some request needed; noted by whoever matches."""

    def declared(self) -> list[tuple[str, str, str]]:
        """Kind, old name and new name of each."""
        kinds = {"models": self.models, "tools": self.tools, "endpoints": self.endpoints}
        return [(kind, old, new) for kind, names in kinds.items() for old, new in names.items()]
