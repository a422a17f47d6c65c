"""Says why a request has no recorded answer, and whose doing that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import JsonValue

from harness.cassettes.canonical import canonical_text, drop_paths, origin_of, place_of
from harness.cassettes.differences import definition_differences, first_difference, pretty, pretty_pair
from harness.cassettes.diffs import diff_texts, diff_values
from harness.cassettes.minted import number_ids
from harness.records.exchange import Exchange, HttpRequest
from harness.records.mismatch import Difference, Mismatch, MismatchKind, MismatchPart
from harness.wire.split import Definition, has_spoken, split

__all__ = ["classify_miss", "unplayed_mismatch"]


@dataclass(frozen=True, slots=True)
class _Call:
    """A model call, ready to compare."""

    request: HttpRequest
    definition: Definition
    conversation: tuple[JsonValue, ...]
    steps: tuple[str, ...]
    """The conversation in the form that decides equality."""


@dataclass(frozen=True, slots=True)
class _Near:
    """A recorded call beside the current one."""

    call: _Call
    position: int
    shared: int
    """How many messages the two begin with in common."""


def classify_miss(
    request: HttpRequest, exchanges: Sequence[Exchange], played: Sequence[int], *, volatile: Sequence[str] = ()
) -> Mismatch:
    """The first difference between a request and its nearest recording.

    ``played`` holds the positions of the exchanges that were played before it. Where the whole definition occurs in the
    recording, only the conversation differs: changed behaviour once the model has spoken, the author's text before.
    """
    try:
        return _classify(request, exchanges, played, volatile)
    except RecursionError:  # JSON so deep that it can be read, and not be compared
        return _other_request(request, exchanges, played, ())


def _classify(
    request: HttpRequest, exchanges: Sequence[Exchange], played: Sequence[int], volatile: Sequence[str]
) -> Mismatch:
    turn = len(played) + 1
    current = _read_call(request, volatile)
    calls = [(position, _read_call(each.request, volatile)) for position, each in enumerate(exchanges)]
    recorded = [(position, call) for position, call in calls if call is not None]
    if current is None or not recorded:
        return _other_request(request, exchanges, played, volatile)
    near = [_Near(call, position, _shared(call.steps, current.steps)) for position, call in recorded]
    same = [each for each in near if not definition_differences(each.call.definition, current.definition)]
    if same:
        nearest = max(
            same,
            key=lambda each: (
                each.shared,
                each.call.steps == current.steps,
                each.position not in played,
                -each.position,
            ),
        )
        return _conversation_mismatch(nearest, current, turn)
    nearest = max(
        near,
        key=lambda each: (
            each.shared,
            -len(definition_differences(each.call.definition, current.definition)),
            each.position not in played,
            -each.position,
        ),
    )
    return _definition_mismatch(nearest, current, turn)


def unplayed_mismatch(exchanges: Sequence[Exchange], unplayed: Sequence[Exchange]) -> Mismatch:
    """The agent stopped, and the recording goes on."""
    first = unplayed[0]
    number = next(position for position, exchange in enumerate(exchanges, 1) if exchange is first)
    call = split(first.request.method, urlsplit(first.request.uri).path, first.request.body)
    count = f"{len(unplayed)} of {len(exchanges)} recorded exchanges {'was' if len(unplayed) == 1 else 'were'}"
    last = pretty(call.conversation[-1]) if call and call.conversation else _line_of(first.request)
    return Mismatch(
        kind=MismatchKind.CHANGED,
        part=MismatchPart.UNPLAYED,
        turn=number,
        cause=f"the agent stopped before call {number} of the recording: {count} not asked for",
        recorded=last,
        current="",
    )


def _read_call(request: HttpRequest, volatile: Sequence[str]) -> _Call | None:
    wire = split(request.method, urlsplit(request.uri).path, _without_volatile(request.body, volatile))
    if wire is None:
        return None
    steps = tuple(map(canonical_text, number_ids(wire.conversation)))
    return _Call(request, wire.definition, wire.conversation, steps)


def _without_volatile(body: bytes, volatile: Sequence[str]) -> bytes:
    """The body without what takes no part in matching, so that it is named as no cause either."""
    if not volatile:
        return body
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return body
    drop_paths(data, volatile)
    return json.dumps(data).encode()


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((count for count, (a, b) in pairs if a != b), min(len(one), len(other)))


def _definition_mismatch(near: _Near, current: _Call, turn: int) -> Mismatch:
    first, *others = definition_differences(near.call.definition, current.definition)
    cause = first.cause
    if others:
        cause += f"; also {', '.join(other.part for other in others)}"
    other_reading = None
    if turn > 1:
        other_reading = (
            f"changed behaviour: {turn - 1} {'call' if turn == 2 else 'calls'} before this one matched, so the "
            "agent may have chosen this itself while it ran"
        )
    return Mismatch(
        kind=MismatchKind.STALE,
        part=first.part,
        turn=turn,
        cause=cause,
        recorded=first.recorded,
        current=first.current,
        other_reading=other_reading,
        differences=tuple(Difference(part=each.part, cause=each.cause, diff=each.diff) for each in (first, *others)),
    )


def _conversation_mismatch(near: _Near, current: _Call, turn: int) -> Mismatch:
    at = near.shared
    before, after = _at(near.call.conversation, at), _at(current.conversation, at)
    spoken = has_spoken([*current.conversation[: at + 1], *near.call.conversation[: at + 1]])
    if before is None and after is None and place_of(near.call.request) != place_of(current.request):
        places = urlsplit(near.call.request.uri).query, urlsplit(current.request.uri).query
        cause = f"query: {places[0] or 'none'} → {places[1] or 'none'}"
        return _mismatch(MismatchKind.STALE, MismatchPart.ENDPOINT, turn, cause, *places)
    texts = pretty_pair(before, after)
    if before is None:
        cause = "the agent made a further call that the recording does not have"
        cause += f": it goes on with {_name(current.conversation, at)}" if after is not None else ": one it made before"
        if turn > 1 or spoken:
            return _mismatch(MismatchKind.CHANGED, MismatchPart.LENGTH, turn, cause, *texts)
    cause = _conversation_cause(near.call.conversation, current.conversation, at)
    if spoken:
        return _mismatch(MismatchKind.CHANGED, MismatchPart.CONVERSATION, turn, cause, *texts)
    mismatch = _mismatch(MismatchKind.STALE, MismatchPart.OPENING, turn, f"opening, {cause}", *texts)
    if turn == 1:
        return mismatch
    reading = f"changed behaviour: the agent may have written this opening from what happened in call {turn - 1}"
    return mismatch.model_copy(update={"other_reading": reading})


def _mismatch(kind: MismatchKind, part: MismatchPart, turn: int, cause: str, recorded: str, current: str) -> Mismatch:
    difference = Difference(part=part, cause=cause, diff=diff_texts(recorded, current))
    return Mismatch(
        kind=kind, part=part, turn=turn, cause=cause, recorded=recorded, current=current, differences=(difference,)
    )


def _conversation_cause(recorded: Sequence[JsonValue], current: Sequence[JsonValue], at: int) -> str:
    old = _name(recorded, at) if at < len(recorded) else None
    new = _name(current, at) if at < len(current) else None
    if old is None:
        return f"{new} was added"
    if new is None:
        return f"{old} is missing"
    return f"{old} differs" if old == new else f"{old} was recorded, now it is {new}"


def _name(conversation: Sequence[JsonValue], at: int) -> str:
    """A message in words: ``result of tool `find_order```, ``message 3 (assistant)``."""
    item = conversation[at]
    if not isinstance(item, dict):
        return f"message {at + 1}"
    kind, role = str(item.get("type", "")), str(item.get("role", ""))
    link = item.get("tool_call_id", item.get("call_id"))
    if kind.endswith("_call") and isinstance(item.get("name"), str):
        return f"message {at + 1} (call of tool `{item['name']}`)"
    content = item.get("content")
    blocks = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    results = [part.get("tool_use_id") for part in blocks if part.get("type") == "tool_result"]
    if link is not None:
        results = [link]
    if results and not kind.endswith("_call"):
        names = [_tool_of(conversation[:at], link) for link in results]
        return f"result of tool {' and '.join(f'`{name}`' for name in dict.fromkeys(names))}"
    return f"message {at + 1} ({role or kind or 'unknown'})"


def _tool_of(conversation: Sequence[JsonValue], link: JsonValue) -> str:
    """The name of the tool that a call id stands for."""
    for item in conversation:
        if not isinstance(item, dict):
            continue
        if item.get("call_id") == link and isinstance(item.get("name"), str):
            return str(item["name"])
        for field in ("tool_calls", "content"):
            parts = item.get(field)
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and part.get("id") == link:
                    inner = part.get(str(part.get("type")), part)
                    return str(inner.get("name", "?")) if isinstance(inner, dict) else "?"
    return "?"


def _at(conversation: Sequence[JsonValue], position: int) -> JsonValue:
    return conversation[position] if position < len(conversation) else None


def _other_request(
    request: HttpRequest, exchanges: Sequence[Exchange], played: Sequence[int], volatile: Sequence[str]
) -> Mismatch:
    """A request that is no model call, or that meets a recording without one."""
    turn = len(played) + 1
    path = urlsplit(request.uri).path
    same = [
        (position in played, each.request)
        for position, each in enumerate(exchanges)
        if urlsplit(each.request.uri).path == path
    ]
    if not same:
        cause = f"`{_line_of(request)}` is not in the recording"
        nearest = exchanges[min(turn, len(exchanges)) - 1].request if exchanges else None
        recorded = _line_of(nearest) if nearest else "the recording holds no exchange"
        kind = MismatchKind.STALE if turn == 1 else MismatchKind.CHANGED
        return _mismatch(kind, MismatchPart.ENDPOINT, turn, cause, recorded, _line_of(request))
    was_played, near = min(same, key=lambda pair: (pair[1].method != request.method, pair[0]))
    kind, part = MismatchKind.CHANGED, MismatchPart.CONVERSATION
    name = f"`{request.method} {path}`"
    if (origin_of(near), place_of(near)) != (origin_of(request), place_of(request)):
        return _mismatch(kind, part, turn, f"{name}: its address differs", _line_of(near), _line_of(request))
    again = next((each for _, each in same if each.body == request.body and place_of(each) == place_of(request)), None)
    if was_played and again is not None:
        cause = f"the agent made a further call that the recording does not have: `{_line_of(request)}`"
        return _mismatch(kind, MismatchPart.LENGTH, turn, cause, _text_of(again), _text_of(request))
    bodies = [_without_volatile(each.body, volatile) for each in (near, request)]
    return _body_mismatch(f"{name}: its body differs", bodies, turn)


def _body_mismatch(cause: str, bodies: Sequence[bytes], turn: int) -> Mismatch:
    """The bodies of two requests to the same place: by their fields where both are JSON, else by their lines."""
    before, after = texts = [body.decode(errors="replace") for body in bodies]
    diff = diff_texts(before, after)
    try:
        values = [json.loads(body) for body in bodies]
        if canonical_text(values[0]) != canonical_text(values[1]):
            cause = f"{cause}: {first_difference(*values)}"
            diff, texts = diff_values(*values), list(pretty_pair(*values))
    except (ValueError, RecursionError):
        pass  # no JSON: the lines say it
    part = MismatchPart.CONVERSATION
    mismatch = _mismatch(MismatchKind.CHANGED, part, turn, cause, *texts)
    return mismatch.model_copy(update={"differences": (Difference(part=part, cause=cause, diff=diff),)})


def _line_of(request: HttpRequest) -> str:
    return f"{request.method} {request.uri}"


def _text_of(request: HttpRequest) -> str:
    return request.body.decode(errors="replace")
