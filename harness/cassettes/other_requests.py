"""Says why a request that is no model call, or that meets a recording without one, has no recorded answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from harness.cassettes.canonical import canonical_text, is_model_api, origin_of, place_of, without_volatile
from harness.cassettes.differences import first_difference, header_differences, pretty_pair
from harness.cassettes.diffs import diff_texts, diff_values
from harness.cassettes.readings import ONLY_BY_MATCH_ON, build_mismatch, chosen_while_running
from harness.cassettes.unsent import name_unsent, unsent_before
from harness.records.exchange import Exchange, HttpRequest
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.wire.model_apis import name_model_api

__all__ = ["other_mismatch"]

_STORED_ID = re.compile("/(?:asst|batch|conv|file|msg|msgbatch|resp|run|step|thread|vs)_[^/]+")


def other_mismatch(
    request: HttpRequest, exchanges: Sequence[Exchange], played: Sequence[int], owed: int, volatile: Sequence[str]
) -> Mismatch:
    """The first difference between a request and the nearest that was recorded for its path.

    What a model API that we don't read is told is the author's, as far as that shows: its address and its headers, and
    the body of the trial's first request. Any other service is the business of the agent's code.
    """
    path = urlsplit(request.uri).path
    same = [position for position, each in enumerate(exchanges) if urlsplit(each.request.uri).path == path]
    if not same:
        return _new_address(request, exchanges, played)
    near = min(same, key=lambda position: (exchanges[position].request.method != request.method, position in played))
    if near in played and any(_is_same(exchanges[position], request) for position in same):
        text = request.body.decode(errors="replace") or _line_of(request)
        cause = f"the agent made a further call that the recording does not have: `{_line_of(request)}`"
        return build_mismatch(MismatchKind.CHANGED, MismatchPart.LENGTH, len(played) + 1, cause, "", text)
    mismatch = _difference(exchanges[near], request, len(played) + 1, volatile)
    unsent = [position for position in unsent_before(near, exchanges, played) if position < owed]
    return name_unsent(mismatch, exchanges, unsent) if unsent else mismatch


def _new_address(request: HttpRequest, exchanges: Sequence[Exchange], played: Sequence[int]) -> Mismatch:
    turn, api, recorded = len(played) + 1, _api_of(request), [each.request for each in exchanges]
    left = [each for position, each in enumerate(recorded) if position not in played]
    alike = [each for each in left if api and _api_of(each) == api]
    nearest = next(iter(alike or left or recorded[-1:]), None)
    lines = _line_of(nearest) if nearest else "the recording holds no exchange", _line_of(request)
    cause = f"`{_line_of(request)}` is not in the recording"
    known = any(_endpoint_of(each) == _endpoint_of(request) for each in recorded)
    if turn > 1 and (known or not api):
        return build_mismatch(MismatchKind.CHANGED, MismatchPart.ENDPOINT, turn, cause, *lines)
    reading = chosen_while_running(turn)
    return build_mismatch(MismatchKind.STALE, MismatchPart.ENDPOINT, turn, cause, *lines, other_reading=reading)


def _api_of(request: HttpRequest) -> str:
    """The model API that a request goes to, in words; empty for any other service."""
    return name_model_api(request.uri) or ("a model" if is_model_api(request) else "")


def _endpoint_of(request: HttpRequest) -> tuple[str, str]:
    """Method and path without the ids of what the provider stores: another response to fetch is no other endpoint."""
    return request.method, _STORED_ID.sub("/*", urlsplit(request.uri).path)


def _difference(near: Exchange, request: HttpRequest, turn: int, volatile: Sequence[str]) -> Mismatch:
    api, name = _api_of(request), f"`{request.method} {urlsplit(request.uri).path}`"
    authored = MismatchKind.STALE if api else MismatchKind.CHANGED
    reading = chosen_while_running(turn) if api else None
    if (origin_of(near.request), place_of(near.request)) != (origin_of(request), place_of(request)):
        part = MismatchPart.ENDPOINT if api else MismatchPart.CONVERSATION
        lines = _line_of(near.request), _line_of(request)
        return build_mismatch(authored, part, turn, f"{name}: its address differs", *lines, other_reading=reading)
    headers = header_differences(near, request)
    if headers:
        part = MismatchPart.SETTINGS if api else MismatchPart.CONVERSATION
        cause = headers[0].cause if api else f"{name}: {headers[0].cause}"
        sides = headers[0].recorded, headers[0].current
        return build_mismatch(authored, part, turn, cause, *sides, diff=headers[0].diff, other_reading=reading)
    bodies = [without_volatile(each.body, volatile) for each in (near.request, request)]
    if api and turn == 1:
        return _body_mismatch(name, bodies, MismatchKind.STALE, MismatchPart.OPENING, turn)
    mismatch = _body_mismatch(name, bodies, MismatchKind.CHANGED, MismatchPart.CONVERSATION, turn)
    reading = f"stale: the author may have written this; what is said to {api} is not read" if api else None
    return mismatch.model_copy(update={"other_reading": reading})


def _body_mismatch(name: str, bodies: Sequence[bytes], kind: MismatchKind, part: MismatchPart, turn: int) -> Mismatch:
    """The bodies of two requests to the same place: by their fields where both are JSON, else by their lines."""
    before, after = (body.decode(errors="replace") for body in bodies)
    cause, diff = f"{name}: its body differs", diff_texts(before, after)
    try:
        values = [json.loads(body) for body in bodies]
        if canonical_text(values[0]) != canonical_text(values[1]):
            cause = f"{cause}: {first_difference(*values)}"
            diff, (before, after) = diff_values(*values), pretty_pair(*values)
    except (ValueError, RecursionError):
        pass  # no JSON: the lines say it
    if bodies[0] == bodies[1]:
        cause = f"{name}: {ONLY_BY_MATCH_ON}"
    return build_mismatch(kind, part, turn, cause, before, after, diff=diff)


def _is_same(recorded: Exchange, request: HttpRequest) -> bool:
    same = recorded.request.body == request.body and place_of(recorded.request) == place_of(request)
    return same and not header_differences(recorded, request)


def _line_of(request: HttpRequest) -> str:
    return f"{request.method} {request.uri}"
