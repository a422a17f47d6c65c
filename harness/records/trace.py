"""What happened in a trial, read off the wire: ordered events with usage, cost and time."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from harness.records.base import Nanoseconds, Record, Usd
from harness.records.message import Api, AssistantMessage, Message, StopReason, Usage

__all__ = ["AgentRaised", "Event", "HttpCall", "ModelCall", "SystemPrompt", "ToolCalled", "Trace", "UserTurn"]


class UserTurn(Record):
    """The user says something; the agent is asked to answer."""

    kind: Literal["user_turn"] = "user_turn"
    number: int
    """From 1."""
    text: str


class SystemPrompt(Record):
    """The instructions in force from here on. Shown once, and again when they differ."""

    kind: Literal["system_prompt"] = "system_prompt"
    text: str


class ModelCall(Record):
    """One request to a model and its reply."""

    kind: Literal["model_call"] = "model_call"
    turn: int
    """The number of this call in the trial, from 1."""
    user_turn: int
    """The user turn that it belongs to."""
    api: Api
    model: str
    sent: tuple[Message, ...]
    """The messages that no earlier call of this conversation had sent or received."""
    tools: tuple[str, ...] = ()
    """The names of the tools on offer."""
    streamed: bool = False
    status: int
    """HTTP status."""
    reply: AssistantMessage | None
    """None where the call failed."""
    stop: StopReason | None = None
    usage: Usage | None = None
    """None where the provider did not say."""
    cost_usd: Usd | None = None
    """None where usage or price is unknown."""
    error: str | None = None
    """The provider's error, or how the response broke off."""
    started: Nanoseconds
    """Since the trial began."""
    duration: Nanoseconds


class ToolCalled(Record):
    """A tool that the model asked for, and what came back to the model."""

    kind: Literal["tool_called"] = "tool_called"
    turn: int
    """The model call that asked."""
    call_id: str
    name: str
    arguments: JsonValue
    """Parsed; the raw text where it is not JSON."""
    result: str | None
    """What the next request handed to the model; None where no request did."""
    is_error: bool = False


class HttpCall(Record):
    """A recorded exchange that is not one of the model protocols we read."""

    kind: Literal["http_call"] = "http_call"
    turn: int
    method: str
    uri: str
    status: int
    started: Nanoseconds
    duration: Nanoseconds


class AgentRaised(Record):
    """The agent ended with an exception."""

    kind: Literal["agent_raised"] = "agent_raised"
    user_turn: int
    type: str
    message: str
    place: str | None = None
    """``file:line`` of the innermost frame in the project, where there is one."""


Event = Annotated[
    UserTurn | SystemPrompt | ModelCall | ToolCalled | HttpCall | AgentRaised, Field(discriminator="kind")
]


class Trace(Record):
    """The ordered events of a trial, and where they led."""

    run_id: str
    events: tuple[Event, ...]
    outputs: tuple[JsonValue, ...]
    """The agent's answer to each user turn: text, or structured data."""
    state: JsonValue
    """The world when the trial ended."""
    usage: Usage
    cost_usd: Usd | None
    """None where any call's cost is unknown."""
    duration: Nanoseconds
    """Until the last recorded exchange ended."""
    inexact: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Why the times of this trial are not exact; empty, and not written, where they are."""

    @property
    def output(self) -> JsonValue:
        """The final answer; None where there is none."""
        return self.outputs[-1] if self.outputs else None

    @property
    def model_calls(self) -> tuple[ModelCall, ...]:
        """The model calls, in order."""
        return tuple(event for event in self.events if isinstance(event, ModelCall))

    @property
    def tool_calls(self) -> tuple[ToolCalled, ...]:
        """The trajectory: the tool calls, in order."""
        return tuple(event for event in self.events if isinstance(event, ToolCalled))

    @property
    def raised(self) -> AgentRaised | None:
        """How the agent broke off, where it did."""
        return next((event for event in self.events if isinstance(event, AgentRaised)), None)
