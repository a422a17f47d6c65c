"""A model client that plays a script, and short ways to write one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.errors import ProviderError
from harness.records.message import AssistantMessage, ModelReply, ModelRequest, StopReason, ToolCall, Usage

__all__ = ["ScriptedClient", "asks", "says"]

USAGE = Usage(input_tokens=10, output_tokens=3)


def says(text: str, stop: StopReason = StopReason.END, *calls: ToolCall) -> ModelReply:
    """A reply in words."""
    return ModelReply(id="r", model="m", message=AssistantMessage(text=text, tool_calls=calls), stop=stop, usage=USAGE)


def asks(*calls: tuple[str, str, str]) -> ModelReply:
    """A reply that calls tools, each given as id, name and arguments."""
    made = [ToolCall(id=id_, name=name, arguments=arguments) for id_, name, arguments in calls]
    return says("", StopReason.TOOL_CALLS, *made)


@dataclass
class ScriptedClient:
    """Answers the n-th request with the n-th entry; an error is raised."""

    script: list[ModelReply | ProviderError]
    requests: list[ModelRequest] = field(default_factory=list)

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None] | None = None) -> ModelReply:
        """The next entry; an IndexError where the agent asks more often than it should."""
        self.requests.append(request)
        entry = self.script[len(self.requests) - 1]
        if isinstance(entry, ProviderError):
            raise entry
        return entry
