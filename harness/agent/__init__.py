"""The reference agent: a small, honest one to test the harness on, and to build on."""

from __future__ import annotations

from harness.agent.loop import Agent
from harness.agent.state import AgentState
from harness.agent.tools import Tool, make_tool

__all__ = ["Agent", "AgentState", "Tool", "make_tool"]
