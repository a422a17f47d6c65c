"""A trial read as a conversation: events in, steps out, in words that every output shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from pydantic import JsonValue

from harness.records.base import Record
from harness.records.json_text import indented, read_json
from harness.records.message import AssistantMessage, Message, PartKind, ToolResult
from harness.records.trace import (
    AgentRaised,
    Conversation,
    Event,
    HttpCall,
    ModelCall,
    Role,
    SystemPrompt,
    ToolCalled,
    Trace,
    UserTurn,
)
from harness.reporting.pieces import Piece, pieces_of, reply_pieces
from harness.reporting.threads import Threads, attempts_summary, describe_attempts
from harness.reporting.wording import count, duration, money, tokens

__all__ = ["Step", "StepKind", "count_calls", "pretty", "steps_of", "trace_facts", "trace_steps"]

_SHORT = 76
"""Characters of JSON that stay on one line."""


class StepKind(StrEnum):
    """What a step of a conversation is."""

    USER = "user"
    CONVERSATION = "conversation"
    """Another agent's thread of messages begins."""
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
    pieces: tuple[Piece, ...] = ()
    """What a reply consists of, where it is more than its text; then the text is among them."""
    arguments: str = ""
    """A tool call's arguments, as JSON or the raw text."""
    result: str = ""
    problem: str = ""
    """What went wrong here, one line."""
    whose: str = ""
    """The conversation that it belongs to, where there are several and it is not the main one."""
    depth: int = 0
    """How far it is moved in: 1 below the conversation that ran it, and so on."""
    notes: tuple[str, ...] = ()
    """What is to be known of its place: failed attempts, calls at the same time, by what it belongs where it stands."""
    unsure: str = ""
    """What the wire does not tell of its place, one line."""
    unread: tuple[str, ...] = ()
    """What of a reply could not be read, a line each."""
    attempts: tuple[str, ...] = ()
    """What failed before it, a line each."""

    @property
    def media(self) -> tuple[str, ...]:
        """The images, audio and files of a reply."""
        return tuple(piece.text for piece in self.pieces if piece.kind is PartKind.MEDIA)

    @property
    def body(self) -> str:
        """All that the step says, as lines that can be compared."""
        if self.kind is StepKind.TOOL:
            parts = [f"arguments: {self.arguments}", f"result: {self.result}" if self.result else "", self.problem]
        else:
            parts = [self.text, *self.media, self.problem]
        return "\n".join(part for part in parts if part)


def pretty(value: JsonValue) -> str:
    """Text as it is, data as JSON: on one line where it is short, else indented so that lines compare."""
    if isinstance(value, str):
        return value
    text = indented(value, 2)
    breaks = text.count("\n")
    layout = breaks * (breaks + 1)  # at most: a break is one character, and no line is indented by more than all breaks
    if breaks > _SHORT or len(text) - layout > _SHORT:
        return text
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= _SHORT else text


def steps_of(events: Iterable[Event]) -> Iterator[Step]:
    """The steps that the events of a trial stand for, in order."""
    known = tuple(events)
    return _steps(known, Threads(known))


def _steps(events: Iterable[Event], threads: Threads) -> Iterator[Step]:
    for event in events:
        match event:
            case UserTurn():
                yield Step(kind=StepKind.USER, title=f"User, turn {event.number}", text=event.text)
            case Conversation():
                yield Step(
                    kind=StepKind.CONVERSATION,
                    title=threads.title(event),
                    facts=threads.facts(event),
                    unsure=f"its place is unknown: {event.ground}" if event.role is Role.UNKNOWN else "",
                    depth=threads.depth(event.number),
                )
            case SystemPrompt():
                lines = count(event.text.count("\n") + 1, "line") if event.text else "empty"
                step = Step(kind=StepKind.SYSTEM, title="System prompt", facts=(lines,), text=event.text)
                yield _placed(step, event.conversation, threads)
            case ModelCall():
                steps = (*(_sent(message, event.turn) for message in event.sent), _model(event, threads))
                yield from (_placed(step, event.conversation, threads) for step in steps)
            case ToolCalled():
                yield _placed(_tool(event), threads.of_call(event.turn), threads)
            case HttpCall():
                yield _http(event)
            case AgentRaised():
                place = f" at {event.place}" if event.place else ""
                yield Step(kind=StepKind.RAISED, title=f"The agent raised {event.type}{place}", problem=event.message)


def trace_steps(trace: Trace) -> tuple[Step, ...]:
    """The steps of a whole trial, each turn with the agent's own answer where no conversation ended with it."""
    steps: list[Step] = []
    threads = Threads(trace.events)
    turns = _cut_at_turns(trace.events)
    for number, events in enumerate(turns):
        steps.extend(_steps(events, threads))
        if 0 < number <= len(trace.outputs):
            said = {call.conversation: call.reply.text for call in events if isinstance(call, ModelCall) and call.reply}
            output = trace.outputs[number - 1]
            if not any(_says_the_same(text, output) for text in said.values() or ("",)):
                steps.append(Step(kind=StepKind.ANSWER, title="The agent's answer", text=pretty(output)))
    return tuple(steps)


def trace_facts(trace: Trace) -> tuple[str, ...]:
    """The figures of a whole trial; nothing of tokens and cost where no model was called."""
    facts = count_calls(trace.events)
    if trace.model_calls:
        facts += [tokens(trace.usage), money(trace.cost_usd)]
    if trace.duration:
        facts.append(duration(trace.duration))
    facts += (f"times not exact: {why}" for why in trace.inexact)
    return tuple(facts)


def count_calls(events: Sequence[Event]) -> list[str]:
    """How many calls, tools, failed attempts and conversations; calls that are in no sum of tokens are named."""
    calls = [event for event in events if isinstance(event, ModelCall)]
    tools = sum(isinstance(event, ToolCalled) for event in events)
    failed = sum(len(call.attempts) for call in calls)
    conversations = sum(isinstance(event, Conversation) for event in events)
    unread = sum(isinstance(event, HttpCall) and bool(event.model_api) for event in events)
    return [
        count(len(calls), "model call"),
        *([count(failed, "failed attempt")] if failed else []),
        count(tools, "tool call"),
        *([count(conversations, "conversation")] if conversations else []),
        *([f"{count(unread, 'call')} of model APIs that are not read"] if unread else []),
    ]


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
        return bool(read_json(said) == output)
    except ValueError:
        return False


def _sent(message: Message, call: int) -> Step:
    problem, pieces = "", tuple[Piece, ...]()
    if isinstance(message, ToolResult):
        title, text = f"Tool result sent for {message.name or message.call_id}", message.content
        problem = "marked as an error" if message.is_error else ""
    elif isinstance(message, AssistantMessage):
        calls = "\n".join(f"{call.name}({call.arguments})" for call in message.tool_calls)
        title, text = "Sent as the model's words", "\n".join(part for part in (message.text, calls) if part)
        pieces = pieces_of(message, whole=True) if message.parts else ()
    else:
        title, text = "Sent by the agent", message.text
    return Step(kind=StepKind.SENT, title=title, call=call, text=text, pieces=pieces, problem=problem)


def _placed(step: Step, conversation: int, threads: Threads) -> Step:
    """The step under the conversation that it belongs to; as it is in a trial with one."""
    whose, depth = threads.label(conversation), threads.depth(conversation)
    return step.model_copy(update={"whose": whose, "depth": depth}) if whose or depth else step


def _model(event: ModelCall, threads: Threads) -> Step:
    facts = [_model_name(event), tokens(event.usage), money(event.cost_usd), duration(event.duration)]
    if event.streamed:
        facts.append("streamed")
    if event.stop is not None and event.stop.value not in ("end", "tool_calls"):
        facts.append(f"stopped: {event.stop.value.replace('_', ' ')}")
    if event.status != 200:
        facts.append(f"status {event.status}")
    if event.others:
        facts.append(count(1 + len(event.others), "choice"))
    arrived = "the reply is not whole: this had arrived" if event.reply and event.error else ""
    return Step(
        kind=StepKind.MODEL,
        title=f"Model call {event.turn}",
        call=event.turn,
        facts=tuple(facts),
        text=event.reply.text if event.reply else "",
        pieces=reply_pieces(event),
        problem=event.error or ("" if event.reply else "no reply was recorded"),
        notes=tuple(filter(None, (attempts_summary(event), threads.beside(event.turn), event.linked, arrived))),
        unsure=f"where it belongs is unsure: {event.unsure}" if event.unsure else "",
        unread=event.unread,
        attempts=describe_attempts(event),
    )


def _model_name(event: ModelCall) -> str:
    """The model that was asked, and the one that answered where the first is a deployment."""
    if event.answered_by in ("", event.model):
        return event.model or "unknown model"
    return f"{event.model}, a deployment of {event.answered_by}" if event.model else event.answered_by


def _tool(event: ToolCalled) -> Step:
    facts = []
    if event.not_json:
        facts.append("arguments are no JSON")
    if event.mocked:
        facts.append("mocked")
    if event.at_provider:
        facts.append("ran at the provider" if event.result is not None else "ran at the provider, result not shown")
    if event.result is None and not event.at_provider:
        problem = "no later request carried a result"
    else:
        problem = "the tool refused or failed" if event.is_error else ""
    return Step(
        kind=StepKind.TOOL,
        title=event.name,
        call=event.turn,
        facts=tuple(facts),
        arguments=pretty(event.arguments),
        result=_indented(event.result or ""),
        problem=problem,
    )


def _http(event: HttpCall) -> Step:
    facts = [f"status {event.status}", duration(event.duration)]
    if event.redirected_to:
        facts.append(f"redirected to {event.redirected_to}")
    if event.model_api:
        facts.append(f"a model API that is not read: {event.model_api}")
    return Step(kind=StepKind.HTTP, title=f"{event.method} {event.uri}", call=event.turn, facts=tuple(facts))


def _indented(text: str) -> str:
    """JSON indented, so that its lines compare; other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return pretty(read_json(text))
    except ValueError:
        return text
