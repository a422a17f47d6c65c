"""A conversation with a model, in one form for every provider's wire format.

What comes as JSON off the wire, or from a schema, is not validated as such again: every request repeats it.
"""

from __future__ import annotations

import operator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, SkipValidation

from harness.records.base import JsonObject, Record

__all__ = [
    "Api",
    "AssistantMessage",
    "Message",
    "ModelReply",
    "ModelRequest",
    "OutputSchema",
    "Part",
    "PartKind",
    "StopReason",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "Usage",
    "UserMessage",
]


class Api(StrEnum):
    """A provider's wire protocol."""

    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    ANTHROPIC_MESSAGES = "anthropic-messages"


class StopReason(StrEnum):
    """Why the model stopped, in one vocabulary for all providers."""

    END = "end"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    STOP_SEQUENCE = "stop_sequence"
    OTHER = "other"


class Usage(Record):
    """Tokens of one or several model calls."""

    input_tokens: int = 0
    """All tokens of the prompt, cached ones included."""
    output_tokens: int = 0
    """All tokens generated, reasoning included."""
    cached_input_tokens: int = 0
    """The part of ``input_tokens`` read from the provider's cache."""
    cache_write_tokens: int = 0
    """The part of ``input_tokens`` written to the provider's cache."""
    reasoning_tokens: int = 0
    """The part of ``output_tokens`` spent on reasoning, where the provider says."""
    cache_write_1h_tokens: int = Field(default=0, exclude_if=operator.not_)
    """The part of ``cache_write_tokens`` that is kept for an hour."""
    audio_input_tokens: int = Field(default=0, exclude_if=operator.not_)
    """The part of ``input_tokens`` that is audio."""
    audio_output_tokens: int = Field(default=0, exclude_if=operator.not_)
    """The part of ``output_tokens`` that is audio."""
    web_searches: int = Field(default=0, exclude_if=operator.not_)
    """Searches at the provider that are billed by the piece."""

    @property
    def total_tokens(self) -> int:
        """Prompt and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})


class ToolCall(Record):
    """A model's request to run a tool."""

    id: str
    name: str
    arguments: str
    """The arguments exactly as the model wrote them: JSON text, which may be invalid."""


class ToolDefinition(Record):
    """A tool as it is offered to a model."""

    name: str
    description: str
    parameters: Annotated[JsonObject, SkipValidation]
    """JSON Schema of the arguments, an object."""


class OutputSchema(Record):
    """The JSON Schema that the final answer must follow."""

    name: str
    schema_: JsonObject = Field(alias="schema")

    model_config = Record.model_config | {"populate_by_name": True}


class UserMessage(Record):
    """What the user, or the agent on the user's behalf, says."""

    role: Literal["user"] = "user"
    text: str


class PartKind(StrEnum):
    """The kinds of content that a reply is made of."""

    TEXT = "text"
    THOUGHT = "thought"
    """Thinking or reasoning. Its text is empty where the provider encrypts or withholds it."""
    REFUSAL = "refusal"
    TOOL_CALL = "tool_call"
    """A tool that the client runs; also among ``tool_calls``."""
    PROVIDER_TOOL = "provider_tool"
    """A tool that ran at the provider."""
    MEDIA = "media"
    """An image, audio or a file."""
    NOTE = "note"
    """What comes with it: a source that it names, a list of tools, a summary of earlier messages, another model."""
    UNREAD = "unread"
    """Content of a type that we do not know."""


class Part(Record):
    """One piece of a reply's content, in the order in which the model wrote it."""

    kind: PartKind
    text: str = Field(default="", exclude_if=operator.not_)
    """The text, thought or refusal; of other kinds what a reader should know, such as ``image/png, 2,048 bytes``."""
    call_id: str = Field(default="", exclude_if=operator.not_)
    """Of a tool call, here or at the provider: its id."""


class AssistantMessage(Record):
    """What the model says: text, tool calls or both."""

    role: Literal["assistant"] = "assistant"
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    parts: tuple[Part, ...] = Field(default=(), exclude_if=operator.not_)
    """All content in order. Empty where ``text``, then ``tool_calls``, is all of it."""
    raw: tuple[Annotated[JsonValue, SkipValidation], ...] = ()
    """The provider's own content items. Sent back unchanged where a provider demands it (reasoning, signatures)."""


class ToolResult(Record):
    """What a tool gave back for one call."""

    role: Literal["tool"] = "tool"
    call_id: str
    name: str = ""
    """The tool's name where known; not every wire format repeats it."""
    content: str
    is_error: bool = False
    """Only some wire formats carry it; elsewhere the content tells."""


Message = Annotated[UserMessage | AssistantMessage | ToolResult, Field(discriminator="role")]


class ModelRequest(Record):
    """Everything that one model call sends."""

    model: str
    system: str = ""
    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...] = ()
    output: OutputSchema | None = None
    settings: JsonObject = {}
    """Further top-level fields of the wire format, as they stand (temperature, max_tokens, tool_choice …)."""
    stream: bool = False


class ModelReply(Record):
    """One reply of a model."""

    id: str
    model: str
    """The model that answered, which may be a dated version of the one that was asked."""
    message: AssistantMessage
    others: tuple[AssistantMessage, ...] = ()
    """The further choices of a request for several."""
    stop: StopReason
    usage: Usage | None
    """None where the provider did not say, or what it said can't be."""
    usage_unknown: str = ""
    """Why the usage is unknown, as what the reply does: ``says no usage``."""
    terms: dict[str, str] = {}
    """What the reply says of itself that changes its price, such as its service tier."""
    unread: tuple[str, ...] = ()
    """What of the reply could not be read, each in a few words."""
