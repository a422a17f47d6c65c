"""Did this change make our agent worse? The public names, loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import ToolError
from harness.registry import command, endpoint, subject, validator

if TYPE_CHECKING:
    from harness.agent import Agent, AgentState
    from harness.subjects.task import Task, World, current_world

__all__ = [
    "Agent",
    "AgentState",
    "Task",
    "ToolError",
    "World",
    "command",
    "current_world",
    "endpoint",
    "subject",
    "validator",
]

_LAZY = {
    "Agent": "harness.agent",
    "AgentState": "harness.agent",
    "Task": "harness.subjects.task",
    "World": "harness.subjects.task",
    "current_world": "harness.subjects.task",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
