"""A log whose every line names its run, whatever formatter shows it."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

__all__ = ["RunLog"]


class RunLog(logging.LoggerAdapter[logging.Logger]):
    """Writes to ``harness.agent``, each message with its run id in front and as the attribute ``run_id``."""

    def __init__(self, run_id: str) -> None:
        super().__init__(logging.getLogger("harness.agent"), {"run_id": run_id})
        self._prefix = f"[{run_id}] ".replace("%", "%%")

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Put the run id in front of a message that has arguments, as all of the agent's do."""
        message, extended = super().process(msg, kwargs)
        return f"{self._prefix}{message}", extended
