"""A trial read as a conversation: events in, steps out, in words that every output shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import JsonValue

from harness.records.base import Record
from harness.records.message import AssistantMessage, Message, ToolResult
from harness.records.trace import AgentRaised, Event, HttpCall, ModelCall, SystemPrompt, ToolCalled, Trace, UserTurn
from harness.reporting.wording import count, duration, money, tokens

__all__ = ["Step", "StepKind", "pretty", "steps_of", "trace_facts", "trace_steps"]

_SHORT = 76
"""Characters of JSON that stay on one line."""


class StepKind(StrEnum):
    """What a step of a conversation is."""

    USER = "user"
    SYSTEM = "system"
    SENT = "sent"
    """A message that the agent put into the conversation, which neither the user nor a tool said."""
    MODEL = "model"
    TOOL = "tool"
    HTTP = "http"
    RAISED = "raised"
    ANSWER = "answer"
    """What the agent handed back, where it is not what the model said last."""


class Step(Record):
    """One step, ready to be laid out."""

    kind: StepKind
    title: str
    call: int = 0
    """The model call it belongs to, from 1; 0 for none."""
    facts: tuple[str, ...] = ()
    """Short figures: model, tokens, cost, time."""
    text: str = ""
    arguments: str = ""
    """A tool call's arguments, as JSON or the raw text."""
    result: str = ""
    problem: str = ""
    """What went wrong here, one line."""

    @property
    def body(self) -> str:
        """All that the step says, as lines that can be compared."""
        if self.kind is StepKind.TOOL:
            parts = [f"arguments: {self.arguments}", f"result: {self.result}" if self.result else "", self.problem]
        else:
            parts = [self.text, self.problem]
        return "\n".join(part for part in parts if part)


def pretty(value: JsonValue) -> str:
    """Text as it is, data as JSON: on one line where it is short, else indented so that lines compare."""
    if isinstance(value, str):
        return value
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= _SHORT else json.dumps(value, indent=2, ensure_ascii=False)


def steps_of(events: Iterable[Event]) -> Iterator[Step]:
    """The steps that the events stand for, in order."""
    for event in events:
        match event:
            case UserTurn():
                yield Step(kind=StepKind.USER, title=f"User, turn {event.number}", text=event.text)
            case SystemPrompt():
                lines = count(event.text.count("\n") + 1, "line") if event.text else "empty"
                yield Step(kind=StepKind.SYSTEM, title="System prompt", facts=(lines,), text=event.text)
            case ModelCall():
                yield from (_sent(message, event.turn) for message in event.sent)
                yield _model(event)
            case ToolCalled():
                yield _tool(event)
            case HttpCall():
                facts = (f"status {event.status}", duration(event.duration))
                title = f"{event.method} {event.uri}"
                yield Step(kind=StepKind.HTTP, title=title, call=event.turn, facts=facts)
            case AgentRaised():
                place = f" at {event.place}" if event.place else ""
                yield Step(kind=StepKind.RAISED, title=f"The agent raised {event.type}{place}", problem=event.message)


def trace_steps(trace: Trace) -> tuple[Step, ...]:
    """The steps of a whole trial, each turn with the agent's own answer where the model did not say it last."""
    steps: list[Step] = []
    turns = _cut_at_turns(trace.events)
    for number, events in enumerate(turns):
        steps.extend(steps_of(events))
        if 0 < number <= len(trace.outputs):
            said = [event.reply.text for event in events if isinstance(event, ModelCall) and event.reply]
            output = trace.outputs[number - 1]
            if not _says_the_same(said[-1] if said else "", output):
                steps.append(Step(kind=StepKind.ANSWER, title="The agent's answer", text=pretty(output)))
    return tuple(steps)


def trace_facts(trace: Trace) -> tuple[str, ...]:
    """The figures of a whole trial; nothing of tokens and cost where no model was called."""
    calls = trace.model_calls
    facts = [count(len(calls), "model call"), count(len(trace.tool_calls), "tool call")]
    if calls:
        facts += [tokens(trace.usage if any(call.usage for call in calls) else None), money(trace.cost_usd)]
    if trace.duration:
        facts.append(duration(trace.duration))
    facts += (f"times not exact: {why}" for why in trace.inexact)
    return tuple(facts)


def _cut_at_turns(events: Iterable[Event]) -> list[list[Event]]:
    """What came before the first user turn, then each turn's events."""
    turns: list[list[Event]] = [[]]
    for event in events:
        if isinstance(event, UserTurn):
            turns.append([])
        turns[-1].append(event)
    return turns


def _says_the_same(said: str, output: JsonValue) -> bool:
    if isinstance(output, str):
        return said.strip() == output.strip()
    try:
        return bool(json.loads(said) == output)
    except ValueError:
        return False


def _sent(message: Message, call: int) -> Step:
    problem = ""
    if isinstance(message, ToolResult):
        title, text = f"Tool result sent for {message.name or message.call_id}", message.content
        problem = "marked as an error" if message.is_error else ""
    elif isinstance(message, AssistantMessage):
        calls = "\n".join(f"{call.name}({call.arguments})" for call in message.tool_calls)
        title, text = "Sent as the model's words", "\n".join(part for part in (message.text, calls) if part)
    else:
        title, text = "Sent by the agent", message.text
    return Step(kind=StepKind.SENT, title=title, call=call, text=text, problem=problem)


def _model(event: ModelCall) -> Step:
    facts = [event.model, tokens(event.usage), money(event.cost_usd), duration(event.duration)]
    if event.streamed:
        facts.append("streamed")
    if event.stop is not None and event.stop.value not in ("end", "tool_calls"):
        facts.append(f"stopped: {event.stop.value.replace('_', ' ')}")
    if event.status != 200:
        facts.append(f"status {event.status}")
    return Step(
        kind=StepKind.MODEL,
        title=f"Model call {event.turn}",
        call=event.turn,
        facts=tuple(facts),
        text=event.reply.text if event.reply else "",
        problem=event.error or ("" if event.reply else "no reply was recorded"),
    )


def _tool(event: ToolCalled) -> Step:
    if event.result is None:
        problem = "no later request carried a result"
    else:
        problem = "the tool refused or failed" if event.is_error else ""
    return Step(
        kind=StepKind.TOOL,
        title=event.name,
        call=event.turn,
        arguments=pretty(event.arguments),
        result=_indented(event.result or ""),
        problem=problem,
    )


def _indented(text: str) -> str:
    """JSON indented, so that its lines compare; other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return pretty(json.loads(text))
    except ValueError:
        return text
