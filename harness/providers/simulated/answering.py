"""Which script and rule answer a request, and with which variant."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from harness.providers.simulated.identifiers import Identifiers, digest
from harness.providers.simulated.reply import DroppedError, RejectedError, Reply, count_tokens, dated, tokens
from harness.providers.simulated.script import Rule, Script, When
from harness.records.base import JsonObject
from harness.records.message import (
    Api,
    AssistantMessage,
    Message,
    ModelRequest,
    StopReason,
    ToolResult,
    Usage,
    UserMessage,
)

__all__ = ["Answering"]

_EPOCH = 1_772_323_200
"""The first instant that replies claim to be made at: 2026-03-01 00:00 UTC."""

_STOPS = {"length": StopReason.LENGTH, "refusal": StopReason.REFUSAL}


class Answering:
    """The simulated model: scripts, a seed, and how often each conversation was met."""

    def __init__(self, scripts: Sequence[Script], seed: int) -> None:
        self._scripts = tuple(scripts)
        self._seed = seed
        self._met: Counter[tuple[str, int, str]] = Counter()

    def answer(self, api: Api, request: ModelRequest) -> Reply:
        """The reply of the first rule that holds.

        Raises :class:`RejectedError` where a rule says so or nothing fits, :class:`DroppedError` where a rule drops
        the request.
        """
        script = self._script(request)
        conversation = _canonical(api, request)
        for number, rule in enumerate(script.rules):
            if not _holds(rule.when, request):
                continue
            met = self._met[script.source, number, conversation]
            self._met[script.source, number, conversation] += 1
            if rule.fail is not None:
                if _strikes(rule.fail.times, met):
                    fail = rule.fail
                    raise RejectedError(fail.status, fail.message, code=fail.code, retry_after=fail.retry_after)
            elif rule.drop is not None:
                if _strikes(rule.drop.times, met):
                    raise DroppedError
            else:
                return self._reply(rule, number, met, conversation, request)
        last = _excerpt(request.messages[-1]) if request.messages else "nothing"
        raise RejectedError(400, f"Simulated provider: no rule of {script.source} answers {last}; add one.")

    def _script(self, request: ModelRequest) -> Script:
        fitting = [script for script in self._scripts if _is_own(script, request)]
        if not fitting:
            known = ", ".join(script.source for script in self._scripts)
            first = next((message for message in request.messages if isinstance(message, UserMessage)), None)
            asked = _excerpt(first) if first else "no user message"
            raise RejectedError(400, f"Simulated provider: no script matches {asked}; scripts served: {known}.")
        fitting.sort(key=_particularity, reverse=True)
        rivals = [script.source for script in fitting if _particularity(script) == _particularity(fitting[0])]
        if len(rivals) > 1:
            raise RejectedError(
                400, f"Simulated provider: {' and '.join(rivals)} match alike; make one more particular."
            )
        return fitting[0]

    def _reply(self, rule: Rule, number: int, met: int, conversation: str, request: ModelRequest) -> Reply:
        start = digest(self._seed, conversation, number)
        turns = met // (rule.cut.times + 1) if rule.cut and rule.cut.times else met
        variants = rule.say or tuple(_json_text(value) for value in rule.json_) or ("",)
        text = variants[(start + turns) % len(variants)]
        cut = rule.cut if rule.cut and _strikes(rule.cut.times, met) else None
        stop = _STOPS[rule.stop] if rule.stop else StopReason.TOOL_CALLS if rule.call else StopReason.END
        scripted = rule.usage.model_dump(exclude_none=True)
        usage = Usage(  # of which what is scripted is a part
            input_tokens=max(_count_input(request), scripted.get("cached_input_tokens", 0)),
            output_tokens=count_tokens(text, rule.call) + scripted.get("reasoning_tokens", 0),
        )
        return Reply(
            ids=Identifiers(f"{self._seed}\x1f{conversation}\x1f{number}\x1f{met}"),
            model=dated(request.model),
            created=_EPOCH + start % 86_400 + _turn(request),
            text=text,
            calls=rule.call,
            stop=stop,
            usage=usage.model_copy(update=scripted),
            slow=rule.slow,
            cut=cut,
        )


def _strikes(times: int | None, met: int) -> bool:
    return times is None or met % (times + 1) < times


def _is_own(script: Script, request: ModelRequest) -> bool:
    match = script.match
    first = next((message.text for message in request.messages if isinstance(message, UserMessage)), "")
    return (
        (match.user is None or match.user in first)
        and (match.system is None or match.system in request.system)
        and (match.model is None or match.model == request.model)
    )


def _particularity(script: Script) -> tuple[bool, bool, bool]:
    match = script.match
    return match.system is not None, match.model is not None, match.user is not None


def _holds(when: When, request: ModelRequest) -> bool:
    if when.turn is not None and when.turn != _turn(request):
        return False
    if (when.tool is not None or when.result is not None) and not _has_result(when, request.messages):
        return False
    if when.user is not None:
        users = [message.text for message in request.messages if isinstance(message, UserMessage)]
        if not users or when.user not in users[-1]:
            return False
    return when.said is None or when.said in _previous_reply(request.messages)


def _turn(request: ModelRequest) -> int:
    """Some wire formats split a reply over several messages, so neighbours count once."""
    models = [isinstance(message, AssistantMessage) for message in request.messages]
    return 1 + sum(now and not before for before, now in zip([False, *models], models, strict=False))


def _has_result(when: When, messages: tuple[Message, ...]) -> bool:
    replies = [message for message in messages if isinstance(message, AssistantMessage)]
    names = {call.id: call.name for reply in replies for call in reply.tool_calls}
    newest = takewhile(lambda message: not isinstance(message, AssistantMessage), reversed(messages))
    return any(
        isinstance(message, ToolResult)
        and when.tool in (None, names.get(message.call_id))
        and (when.result is None or when.result in message.content)
        for message in newest
    )


def _previous_reply(messages: tuple[Message, ...]) -> str:
    reply: list[str] = []
    for message in reversed(messages):
        if isinstance(message, AssistantMessage):
            reply.append(message.text)
        elif reply:
            break
    return "".join(reversed(reply))


def _canonical(api: Api, request: ModelRequest) -> str:
    """The conversation without what differs between equal ones: call ids become their order of appearance."""
    order: dict[str, int] = {}
    messages: list[object] = []
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            calls = [[order.setdefault(call.id, len(order)), call.name, call.arguments] for call in message.tool_calls]
            messages.append(["assistant", message.text, calls])
        elif isinstance(message, ToolResult):
            messages.append(["tool", order.get(message.call_id), message.content, message.is_error])
        else:
            messages.append(["user", message.text])
    return json.dumps([api, request.model, request.system, messages], ensure_ascii=False)


def _count_input(request: ModelRequest) -> int:
    parts = [request.system, *(_spoken(message) for message in request.messages)]
    parts += [f"{tool.name} {tool.description} {json.dumps(tool.parameters)}" for tool in request.tools]
    if request.output is not None:
        parts.append(json.dumps(request.output.schema_))
    return 3 + sum(4 + len(tokens(part)) for part in parts if part)


def _spoken(message: Message) -> str:
    if isinstance(message, AssistantMessage):
        return message.text + "".join(f"{call.name} {call.arguments}" for call in message.tool_calls)
    return message.content if isinstance(message, ToolResult) else message.text


def _excerpt(message: Message) -> str:
    text = _spoken(message)
    return f"the {message.role} message {text if len(text) <= 120 else text[:117] + '...'!r}"


def _json_text(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
