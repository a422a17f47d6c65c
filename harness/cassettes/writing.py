"""Writes a cassette as text: vcrpy's version 1, in a small and steady part of YAML that reads well in a review.

The same cassette always gives the same bytes. A body stands in one scalar: on one line in single quotes where it is one
line, as a literal block where it has several, in double quotes with escapes where either would change it, and in
base64 where it is no text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping

from harness.cassettes.form import FORM, digest_of, group_headers, write_chunks
from harness.cassettes.headers import default_list, list_of
from harness.records.exchange import Cassette, Ending, Exchange, Headers

__all__ = ["PLAIN_KEY", "UNSAFE", "write_cassette", "write_exchange", "write_head"]

PLAIN_KEY = re.compile("accept|age|allow|date|etag|expires|link|location|refresh|vary|[a-z][a-z0-9]*+(?:-[a-z0-9]++)++")
"""The header names that stand without quotes."""
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""Whatever YAML would refuse, fold, or take for a line break."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r'[\\"\t\n]|' + UNSAFE.pattern)


def write_cassette(cassette: Cassette) -> str:
    """The whole file."""
    return write_head(cassette) + "".join(map(write_exchange, cassette.exchanges))


def write_head(cassette: Cassette | None = None) -> str:
    """What stands before the first exchange; without a cassette, that of a file that is still growing."""
    lines = ["version: 1"]
    if cassette is not None:
        lines.append("metadata:")
        lines += _metadata_lines(cassette)
        if not cassette.exchanges:
            return "\n".join([*lines, "interactions: []", ""])
    return "\n".join([*lines, "interactions:", ""])


def write_exchange(exchange: Exchange) -> str:
    """One item of the list of exchanges."""
    return "\n".join([*_exchange_lines(exchange), ""])


def _metadata_lines(cassette: Cassette) -> Iterator[str]:
    yield f"  harness: {FORM}"
    if cassette.imported_from is not None:
        yield f"  imported_from: {_quote(cassette.imported_from)}"
    metadata = cassette.metadata
    if metadata is not None:
        for name, value in metadata.model_dump(exclude_none=True).items():
            if isinstance(value, Mapping):
                yield f"  {name}: {{}}" if not value else f"  {name}:"
                yield from (f"    {_quote(key)}: {_quote(text)}" for key, text in value.items())
            else:
                yield f"  {name}: {value if isinstance(value, int) else _quote(value)}"
    number = list_of(cassette.exchanges)
    if number != default_list(metadata):
        yield f"  kept_headers: {number}"
    yield f"  exchanges: {len(cassette.exchanges)}"
    yield f"  digest: {_quote(digest_of(cassette.exchanges))}"


def _exchange_lines(exchange: Exchange) -> Iterator[str]:
    request, response = exchange.request, exchange.response
    yield "- request:"
    yield f"    method: {_quote(request.method)}"
    yield f"    uri: {_quote(request.uri)}"
    yield from _header_lines(request.headers)
    yield f"    body: {_scalar(request.body, indent=6)}"
    yield "  response:"
    yield f"    status: {{code: {response.status}, message: {_quote(response.reason)}}}"
    yield from _header_lines(response.headers)
    yield "    body:"
    yield f"      string: {_scalar(response.body, indent=8)}"
    yield f"    harness: {{{', '.join(_extras(exchange))}}}"


def _header_lines(headers: Headers) -> Iterator[str]:
    grouped = group_headers(headers)
    yield "    headers:" if grouped else "    headers: {}"
    for name, values in grouped.items():
        key = name if PLAIN_KEY.fullmatch(name) else _quote(name)
        yield f"      {key}: [{', '.join(map(_quote, values))}]"


def _extras(exchange: Exchange) -> Iterator[str]:
    response = exchange.response
    yield f"started: {exchange.started}"
    yield f"head: {exchange.head}"
    yield f"duration: {exchange.duration}"
    if response.ending is not Ending.COMPLETE:
        yield f"ending: {response.ending}"
    if response.chunks:
        yield f"chunks: {_quote(write_chunks(response.chunks))}"


def _scalar(body: bytes, *, indent: int) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"!!binary {_quote(base64.b64encode(body).decode())}"
    return _block(text, " " * indent) if _suits_block(text) else _quote(text)


def _suits_block(text: str) -> bool:
    """Whether a literal block gives back exactly this text."""
    if "\n" not in text.rstrip("\n") and not text.endswith("\n"):
        return False
    if text[0] in "\n\t " or UNSAFE.search(text):
        return False
    return not any(line.isspace() for line in text.split("\n"))


def _block(text: str, indent: str) -> str:
    body = text.rstrip("\n")
    breaks = len(text) - len(body)
    chomp = "-" if breaks == 0 else "" if breaks == 1 else "+"
    lines = [indent + line if line else "" for line in body.split("\n")]
    return "\n".join([f"|{chomp}", *lines, *[""] * (breaks - 1)])


def _quote(text: str) -> str:
    if "\n" not in text and not UNSAFE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    point = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
