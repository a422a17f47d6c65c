"""The agent's state and its transitions: pure functions from a frozen state to the next."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, JsonValue, ValidationError

from harness.agent.schemas import explain_faults
from harness.errors import LogicError, ModelError
from harness.records.base import Record
from harness.records.message import AssistantMessage, Message, ModelReply, StopReason, ToolResult, Usage, UserMessage

__all__ = ["AgentState", "begin_turn", "hear", "refuse_stop", "settle", "take_results"]


class AgentState(Record):
    """A conversation as far as it has come. Keep it from one user turn to the next."""

    messages: tuple[Message, ...] = ()
    answer: JsonValue = None
    """What the agent says to the newest user message: text or structured data; None while it works on it."""
    calls: int = 0
    """Model calls for the newest user message."""
    corrected: bool = False
    """Whether the model was told, for the newest user message, that its answer does not have the required form."""
    usage: Usage = Usage()
    """Tokens of all turns, where the provider told them."""


def begin_turn(state: AgentState, text: str) -> AgentState:
    """The user speaks."""
    messages = (*state.messages, UserMessage(text=text))
    return AgentState(messages=messages, usage=state.usage)


def hear(state: AgentState, reply: ModelReply) -> AgentState:
    """The model speaks."""
    return state.model_copy(
        update={
            "messages": (*state.messages, reply.message),
            "calls": state.calls + 1,
            "usage": state.usage + (reply.usage or Usage()),
        }
    )


def refuse_stop(reply: ModelReply) -> None:
    """Let a reply pass that can be acted on.

    Raises :class:`ModelError` where the model refused or was cut short: such tool calls must not run, such text is no
    answer. Raises :class:`LogicError` for a stop that nobody told us of.
    """
    code = reply.stop.value
    match reply.stop:
        case StopReason.REFUSAL:
            raise ModelError(f"the model refused: {reply.message.text or 'it gave no reason'}", code=code)
        case StopReason.CONTENT_FILTER:
            raise ModelError("the provider's content filter stopped the reply", code=code)
        case StopReason.LENGTH:
            raise ModelError("the reply was cut at its length limit; raise the limit or ask for less", code=code)
        case StopReason.OTHER:
            raise LogicError("the model stopped for a reason that this agent can't act on", code=code)


def take_results(state: AgentState, results: Iterable[ToolResult]) -> AgentState:
    """The tools have answered."""
    return state.model_copy(update={"messages": (*state.messages, *results)})


def settle(state: AgentState, output: type[BaseModel] | None) -> AgentState:
    """Take the model's newest text as the answer, or tell the model once what is wrong with its form.

    Raises :class:`ModelError` where it is empty, or still wrong after the correction.
    """
    message = state.messages[-1]
    text = message.text if isinstance(message, AssistantMessage) else ""
    if output is None:
        if not text.strip():
            raise ModelError("the model ended its turn without saying anything")
        return state.model_copy(update={"answer": text})
    try:
        answer = output.model_validate_json(text)
    except ValidationError as error:
        faults = explain_faults(error)
        if state.corrected:
            what = f"the answer does not fit {output.__name__}, even after one correction"
            raise ModelError(f"{what}:\n{faults}", code="invalid_output") from error
        wish = f"Your answer does not have the required form:\n{faults}\nAnswer again, in the required form only."
        messages = (*state.messages, UserMessage(text=wish))
        return state.model_copy(update={"messages": messages, "corrected": True})
    return state.model_copy(update={"answer": answer.model_dump(mode="json", by_alias=True)})
