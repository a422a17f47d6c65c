"""What happened in a trial, read off the wire: ordered events with usage, cost and time.

``docs/trace.md`` says by which rules. What says nothing of a plain trial is left out of its written form.
"""

from __future__ import annotations

import operator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from harness.records.base import Nanoseconds, Record, Usd
from harness.records.message import Api, AssistantMessage, Message, StopReason, ToolCall, Usage

__all__ = [
    "AgentRaised",
    "Conversation",
    "Event",
    "FailedAttempt",
    "HttpCall",
    "ModelCall",
    "Role",
    "SystemPrompt",
    "ToolCalled",
    "Trace",
    "UserTurn",
]


class Role(StrEnum):
    """What a conversation is to the others of its trial."""

    MAIN = "main"
    """The one that answers the user."""
    SUB_AGENT = "sub_agent"
    """A tool of another one ran it."""
    HANDOFF = "handoff"
    """It took over what another one had said so far."""
    FEEDER = "feeder"
    """What it said last stands in what another one was told."""
    SIDE = "side"
    """One call without tools whose reply no request and no answer holds: a title, a guard, a choice of route."""
    UNKNOWN = "unknown"
    """The wire does not tell."""


def _is_first(number: int) -> bool:
    return number == 1


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
    conversation: int = Field(default=1, exclude_if=_is_first)
    """Whose instructions they are."""


class Conversation(Record):
    """An agent's own thread of messages begins: instructions, tools and a history that grows from call to call.

    Left out where a trial holds one conversation only.
    """

    kind: Literal["conversation"] = "conversation"
    number: int
    """The main one is 1; the others follow in the order in which they begin."""
    role: Role
    name: str
    """The first words of its system prompt; empty where it has none."""
    parent: int | None = None
    """The conversation that it belongs to, where the wire tells."""
    tool: str = ""
    """The tool of the parent that ran it, where the wire tells."""
    tool_call: str = ""
    """The id of that tool's call."""
    ground: str
    """How the role was read, or why it can't be known."""


class FailedAttempt(Record):
    """A request that came to nothing before the same one was sent again."""

    turn: int
    """The number of its exchange in the trial."""
    status: int
    """HTTP status; 0 where no response arrived."""
    error: str
    started: Nanoseconds
    duration: Nanoseconds
    retry_after: Nanoseconds | None = None
    """How long the provider asked to wait."""
    reply: AssistantMessage | None = Field(default=None, exclude_if=operator.not_)
    """What of a reply had arrived before it broke off; None where nothing had."""
    unread: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """What of that could not be read, such as a call that was cut short."""
    usage: Usage | None = None
    """What a stream had reported before it broke off. It is no part of the trial's sum."""


class ModelCall(Record):
    """A request to a model and its reply; a request that was sent again because it failed is one call."""

    kind: Literal["model_call"] = "model_call"
    turn: int
    """The number of its last exchange in the trial, from 1 in the order in which requests were sent; polls apart."""
    polls: tuple[int, ...] = Field(default=(), exclude_if=operator.not_)
    """The numbers of the exchanges that asked whether a background response was done."""
    conversation: int = Field(default=1, exclude_if=_is_first)
    linked: str = Field(default="", exclude_if=operator.not_)
    """By what it belongs to its conversation, where its messages do not simply go on from an earlier call's."""
    unsure: str = Field(default="", exclude_if=operator.not_)
    """Why it may belong elsewhere; empty where the wire tells."""
    attempts: tuple[FailedAttempt, ...] = Field(default=(), exclude_if=operator.not_)
    """What failed before."""
    user_turn: int
    """The user turn that it belongs to."""
    api: Api
    model: str
    """The model that was asked for; with Azure the deployment, which the path may name."""
    answered_by: str = Field(default="", exclude_if=operator.not_)
    """The model that the reply names, where a deployment or nothing was asked for."""
    sent: tuple[Message, ...]
    """The messages that no earlier call of this conversation had sent or received."""
    tools: tuple[str, ...] = ()
    """The names of the tools on offer, those that MCP servers list included."""
    servers: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """The MCP servers on offer whose tools no request and no reply names."""
    streamed: bool = False
    status: int
    """HTTP status."""
    reply: AssistantMessage | None
    """None where nothing of a reply arrived. With an ``error``: what had arrived."""
    others: tuple[AssistantMessage, ...] = Field(default=(), exclude_if=operator.not_)
    """The further choices of a request for several (``n``)."""
    unread: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """What of the reply could not be read, each in a few words; what depends on it can't be told."""
    stop: StopReason | None = None
    usage: Usage | None = None
    """None where the provider did not say, or not clearly. Without a reply: what a stream had reported."""
    usage_unknown: str = Field(default="", exclude_if=operator.not_)
    """Why the usage is unknown, as what the reply does."""
    cost_usd: Usd | None = None
    """None where usage or price is unknown."""
    cost_unknown: str = Field(default="", exclude_if=operator.not_)
    """Why the cost is unknown where the usage is not."""
    error: str | None = None
    """The provider's error, or how the response broke off."""
    started: Nanoseconds
    """Since the trial began. Failed attempts came before."""
    duration: Nanoseconds
    """Until the last byte of the response, or of the last poll."""

    @property
    def began(self) -> Nanoseconds:
        """When the first attempt was sent."""
        return self.attempts[0].started if self.attempts else self.started

    @property
    def ended(self) -> Nanoseconds:
        """When the last byte of the last response had arrived."""
        return self.started + self.duration


class ToolCalled(Record):
    """A tool that the model asked for, and what came back to the model."""

    kind: Literal["tool_called"] = "tool_called"
    turn: int
    """The model call that asked."""
    call_id: str
    name: str
    arguments: JsonValue
    """Parsed; the raw text where it is not JSON."""
    not_json: bool = Field(default=False, exclude_if=operator.not_)
    """Whether the arguments are raw text because they are not JSON."""
    at_provider: bool = Field(default=False, exclude_if=operator.not_)
    """Whether the provider ran it (web search, code, a remote MCP server): the agent had no part in it."""
    mocked: bool = Field(default=False, exclude_if=operator.not_)
    """Whether a mock of the scenario is known to have answered, and not the tool."""
    result: str | None
    """What the next request handed to the model; None where no request did. Of a tool that ran at the provider: what
    the reply shows of it."""
    is_error: bool = False


class HttpCall(Record):
    """A recorded exchange that is not one of the model protocols we read."""

    kind: Literal["http_call"] = "http_call"
    turn: int
    method: str
    uri: str
    status: int
    redirected_to: str = Field(default="", exclude_if=operator.not_)
    """Where the same request was sent next; it is a model call there, where that is a model API."""
    model_api: str = Field(default="", exclude_if=operator.not_)
    """The model API that it is a call of and that we do not read; its tokens and cost are in no sum."""
    takes_tokens: bool = Field(default=False, exclude_if=operator.not_)
    """Whether it took tokens, of which nobody knows the number."""
    hides_tools: bool = Field(default=False, exclude_if=operator.not_)
    """Whether its reply may ask for tools, which nobody sees then."""
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
    UserTurn | Conversation | SystemPrompt | ModelCall | ToolCalled | HttpCall | AgentRaised,
    Field(discriminator="kind"),
]


class Trace(Record):
    """The ordered events of a trial, and where they led."""

    run_id: str
    events: tuple[Event, ...]
    outputs: tuple[JsonValue, ...]
    """The agent's answer to each user turn: text, or structured data."""
    state: JsonValue
    """The world when the trial ended."""
    usage: Usage | None
    """None where the tokens of any exchange are unknown."""
    cost_usd: Usd | None
    """None where the cost of any exchange is unknown."""
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
        """The model calls of all conversations, in order; what was sent again after a failure is one."""
        return tuple(event for event in self.events if isinstance(event, ModelCall))

    @property
    def model_requests(self) -> int:
        """Requests to a model, failed attempts included: what ``limits.model_calls`` counts."""
        return sum(1 + len(call.attempts) for call in self.model_calls)

    @property
    def tool_calls(self) -> tuple[ToolCalled, ...]:
        """The trajectory: the tool calls of all conversations, in order, those at the provider among them."""
        return tuple(event for event in self.events if isinstance(event, ToolCalled))

    @property
    def possible_calls(self) -> tuple[tuple[int, ToolCall], ...]:
        """Calls that had arrived whole in an attempt that then broke off, with the number of its exchange.

        The same request was sent again, so they are no part of the conversation; whether a tool ran, nobody can tell.
        """
        failed = (attempt for call in self.model_calls for attempt in call.attempts if attempt.reply)
        return tuple((each.turn, call) for each in failed if each.reply for call in each.reply.tool_calls)

    @property
    def hidden_calls(self) -> tuple[str, ...]:
        """Where the model may have asked for tools that this trace does not show, each exchange with the reason."""
        found = []
        for event in self.events:
            if isinstance(event, ModelCall):
                found += [f"turn {event.turn} holds {note}" for note in event.unread]
            elif isinstance(event, HttpCall) and event.hides_tools:
                found.append(f"turn {event.turn} is a call of an API that is not read ({event.model_api})")
        return tuple(found)

    @property
    def raised(self) -> AgentRaised | None:
        """How the agent broke off, where it did."""
        return next((event for event in self.events if isinstance(event, AgentRaised)), None)
