"""Requests in the form that decides whether two of them are the same."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

from pydantic import JsonValue

from harness.cassettes.headers import compared_headers
from harness.cassettes.minted import MARK, number_ids
from harness.records.base import JsonObject
from harness.records.exchange import Headers, HttpRequest
from harness.wire.prompts import SYSTEM_ROLES
from harness.wire.split import UNHEARD, api_of

__all__ = [
    "Key",
    "canonical_key",
    "canonical_text",
    "drop_paths",
    "is_model_api",
    "origin_of",
    "place_of",
    "raw_key",
    "read_body",
    "without_volatile",
]

Key = tuple[str, str, Headers, str, bytes]
"""What two requests that are the same have in common: origin, place, headers, kind of body, body."""

_VOLATILE_QUERY = {"beta"}
_BOUNDARY = re.compile(r'^multipart/.*;\s*boundary="?([^";]+)', re.IGNORECASE)


def raw_key(request: HttpRequest, *, anywhere: bool = False, unknown: frozenset[str] = frozenset()) -> Key:
    """Where a request goes, the headers that count, and its body's bytes.

    With ``anywhere`` scheme and host play no part, nor do the headers in ``unknown``.
    """
    return _key(request, "", request.body, anywhere, unknown)


def canonical_key(
    request: HttpRequest, volatile: Sequence[str], *, anywhere: bool = False, unknown: frozenset[str] = frozenset()
) -> Key:
    """The same with what the body says.

    Keys are sorted, what stands at a volatile path is left out, and in a call of a model API the order of tools and
    the key of the prompt's cache play no part, ids that are minted in each run are numbered, and what may be written as
    text or as one block is text. A body that is no JSON object, or one that readers take differently (a key twice, NaN,
    other encodings), counts byte for byte; so does a multipart one, boundary apart.
    """
    data = read_body(request.body)
    if data is not None:
        try:
            text = _canonical_body(data, volatile, is_model_api=is_model_api(request))
            return _key(request, "json", text.encode(), anywhere, unknown)
        except RecursionError:  # so deep that it can be read, and not be written
            pass
    kind, body = _without_boundary(request)
    return _key(request, kind, body, anywhere, unknown)


def read_body(body: bytes) -> JsonObject | None:
    """The JSON object of a body; None for anything else, and for what readers take differently."""
    try:
        data = json.loads(
            body.decode(), object_pairs_hook=_read_object, parse_float=_read_float, parse_constant=_refuse_constant
        )
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def canonical_text(value: JsonValue) -> str:
    """JSON text that is equal for equal values, and for no others."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def place_of(request: HttpRequest) -> str:
    """Where on its host a request goes: method, path and query. Of a key that stands twice the order counts."""
    return _spot(request.method, request.uri)[1]


def origin_of(request: HttpRequest) -> str:
    """Scheme, host and port."""
    return _spot(request.method, request.uri)[0]


def drop_paths(data: JsonValue, paths: Sequence[str]) -> None:
    """Remove what stands at dotted paths, in place; ``*`` is every item of a list or object, a number one of a list."""
    for path in paths:
        _drop(data, path.split("."))


def without_volatile(body: bytes, volatile: Sequence[str]) -> bytes:
    """The body without what takes no part in matching, so that it is named as no cause either."""
    if not volatile:
        return body
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return body
    drop_paths(data, volatile)
    return json.dumps(data).encode()


def is_model_api(request: HttpRequest) -> bool:
    """Whether a request goes to where one of the protocols that we read is spoken."""
    return _spot(request.method, request.uri)[2]


@lru_cache(maxsize=256)
def _spot(method: str, uri: str) -> tuple[str, str, bool]:
    """Origin, place, and whether it is a model API's. Kept: an agent sends nearly all its requests to one place."""
    method, parts = method.upper(), urlsplit(uri)
    pairs = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
    is_model_api = method == "POST" and api_of(parts.path) is not None
    if is_model_api:
        pairs = [pair for pair in pairs if pair[0] not in _VOLATILE_QUERY]
    place = json.dumps([method, parts.path or "/", sorted(pairs, key=lambda pair: pair[0])])
    return f"{parts.scheme}://{parts.netloc}".lower(), place, is_model_api


def _read_object(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key stands twice, and readers differ in which they take")
    return data


def _read_float(text: str) -> JsonValue:
    """The number; where a float can't hold it exactly, its text, marked."""
    number = float(text)
    return number if Decimal(text) == Decimal(repr(number)) else [MARK, text]


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _canonical_body(data: JsonObject, volatile: Sequence[str], *, is_model_api: bool) -> str:
    drop_paths(data, volatile)
    if is_model_api:
        for field in UNHEARD:
            data.pop(field, None)
        tools = data.get("tools")
        if isinstance(tools, list):
            data["tools"] = sorted(tools, key=canonical_text)
        if "system" in data:
            data["system"] = _as_text(data["system"])
        if isinstance(data.get("input"), str):
            data["input"] = [{"role": "user", "content": data["input"]}]
        for field in ("messages", "input"):
            items = data.get(field)
            if isinstance(items, list):
                data[field] = number_ids(_with_plain_system(items))
    return canonical_text(data)


def _with_plain_system(items: list[JsonValue]) -> list[JsonValue]:
    """The items of a conversation, the system prompt before it as text wherever that says the same."""
    plain = list(items)
    for at, item in enumerate(items):
        if not isinstance(item, dict) or item.get("role") not in SYSTEM_ROLES:
            break
        if isinstance(item.get("content"), list):
            plain[at] = {**item, "content": _as_text(item["content"])}
    return plain


def _as_text(content: JsonValue) -> JsonValue:
    """The text of a single plain block; anything else as it is."""
    match content:
        case [{"type": "text" | "input_text", "text": str(text), **more}] if not more:
            return text
    return content


def _without_boundary(request: HttpRequest) -> tuple[str, bytes]:
    """The kind and the bytes of a body that is no JSON; each upload mints the boundary between its parts."""
    found = next((_BOUNDARY.match(value) for name, value in request.headers if name.lower() == "content-type"), None)
    if found is None:
        return "", request.body
    parts = request.body.split(b"--" + found[1].encode())
    return "multipart", b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def _drop(data: JsonValue, path: list[str]) -> None:
    key, rest = path[0], path[1:]
    if isinstance(data, dict):
        for name in list(data) if key == "*" else [key] if key in data else []:
            if rest:
                _drop(data[name], rest)
            else:
                del data[name]
    elif isinstance(data, list) and rest:
        for number, item in enumerate(data):
            if key in ("*", str(number)):
                _drop(item, rest)


def _key(request: HttpRequest, kind: str, body: bytes, anywhere: bool, unknown: frozenset[str]) -> Key:
    origin, place, is_model_api = _spot(request.method, request.uri)
    headers = compared_headers(request.headers, unknown, is_model_api=is_model_api) if request.headers else ()
    return ("" if anywhere else origin, place, headers, kind, body)
