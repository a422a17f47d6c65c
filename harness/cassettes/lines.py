"""Reads the layout of :mod:`harness.cassettes.writing` without a YAML parser: in a fraction of the time, and only that.

What is accepted here means in YAML exactly what is read here. Whatever is not to the letter as we write it, be it
edited by hand, broken or of another tool, is left to the YAML reader, which also has the words for what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import re

from pydantic import ValidationError

from harness.cassettes.form import FORM, digest_of
from harness.cassettes.headers import LISTED, default_list, mark_unknown
from harness.cassettes.writing import PLAIN_KEY, UNSAFE
from harness.records.exchange import (
    Cassette,
    CassetteMetadata,
    Ending,
    Exchange,
    Headers,
)

__all__ = ["parse_lines", "read_lines"]

_SINGLE = r"'[^'\n]*+(?:''[^'\n]*+)*+'"
_DOUBLE = r'"[^"\\\n]*+(?:\\(?:[\\"nrt]|x[0-9a-f]{2}|u(?!d[89a-f])[0-9a-f]{4})[^"\\\n]*+)*+"'
_QUOTED = f"(?:{_SINGLE}|{_DOUBLE})"
_NUMBER = "(?:0|[1-9][0-9]{0,17})"
_KEY = rf"(?=[^\n]{{1,500}}: )(?:{PLAIN_KEY.pattern}|{_QUOTED})"
"""YAML takes no longer key."""
_HEADERS = rf"( \{{\}}|(?:\n      {_KEY}: \[{_QUOTED}(?:, {_QUOTED})*+\])++)"


def _body(indent: str) -> str:
    """A body and the line break after it. Blanks that begin a block mean more in YAML.

    Whether a line of its own is in quotes is left to :func:`_content`, which is faster at it.
    """
    block = rf"\|[+-]?\n{indent}[^ \t\n][^\n]*+\n(?:{indent}[^\n]++\n|\n)*+"
    return rf"(['\"!][^\n]++\n|{block})"


_REQUEST_INDENT, _RESPONSE_INDENT = " " * 6, " " * 8
_EXCHANGE = re.compile(
    (
        f"- request:\n    method: ({_QUOTED})\n    uri: ({_QUOTED})\n"
        f"    headers:{_HEADERS}\n    body: {_body(_REQUEST_INDENT)}"
        rf"  response:\n    status: \{{code: ({_NUMBER}), message: ({_QUOTED})\}}\n"
        f"    headers:{_HEADERS}\n    body:\n      string: {_body(_RESPONSE_INDENT)}"
        rf"    harness: \{{started: ({_NUMBER}), head: ({_NUMBER}), duration: ({_NUMBER})"
        rf"(?:, ending: ({'|'.join(Ending)}))?(?:, chunks: '({_NUMBER}@{_NUMBER}(?: {_NUMBER}@{_NUMBER})*+)')?\}}\n"
    ).encode()
)
_PAIR = rf"[a-z_]++: (?:{_QUOTED}|{_NUMBER})\n"
_TEXTS = rf"  texts:(?: \{{\}}\n|\n(?:    (?=[^\n]{{1,500}}: ){_QUOTED}: {_QUOTED}\n)++)"
_HEAD = re.compile(
    (
        rf"version: 1\nmetadata:\n  harness: {FORM}\n(?:  imported_from: ({_QUOTED})\n)?"
        rf"(  scenario: {_QUOTED}\n(?:  (?!texts:|kept_headers:|exchanges:){_PAIR})*+{_TEXTS})?"
        rf"(?:  kept_headers: ([0-{LISTED}])\n)?  exchanges: ({_NUMBER})\n  digest: '([0-9a-f]++)'\n"
        r"interactions:( \[\])?\n"
    ).encode()
)
_ENTRY = re.compile(rf"(  )?  ({_QUOTED}|[a-z_]++): ({_QUOTED}|{_NUMBER})\n".encode())
_VALUE = re.compile(_QUOTED.encode())
_BINARY = re.compile(rb"!!binary '([A-Za-z0-9+/=]*+)'\n")
_COMMON = b"\t\n" + bytes(range(0x20, 0x7F))
"""What is safe for sure and makes up nearly all of a file."""
_ESCAPE = re.compile(r"\\(?:x(..)|u(....)|(.))")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class _OtherError(Exception):
    """Not as we write it, after all."""


def read_lines(data: bytes) -> Cassette | None:
    """The cassette in a file of UTF-8; None where this is not to the letter what we write for one."""
    parsed = parse_lines(data)
    if parsed is None:
        return None
    cassette, digest = parsed
    return cassette if digest == digest_of(cassette.exchanges) else None


def parse_lines(data: bytes) -> tuple[Cassette, str] | None:
    """The same, whether or not it is what was once recorded, and the digest that tells."""
    head = _HEAD.match(data)
    if head is None or UNSAFE.search(data.translate(None, _COMMON).decode()):
        return None
    origin, own, kept, count, digest, is_empty = head.groups()
    position, exchanges = head.end(), []
    try:
        while match := _EXCHANGE.match(data, position):
            exchanges.append(_exchange(match))
            position = match.end()
        metadata = _metadata(own) if own else None
    except (_OtherError, ValidationError, binascii.Error):
        return None
    if position != len(data) or int(count) != len(exchanges) or bool(is_empty) == bool(exchanges):
        return None
    number = int(kept) if kept else default_list(metadata)
    marked = mark_unknown(exchanges, number, alike=metadata is None)
    imported_from = _text(origin) if origin else None
    cassette = Cassette(metadata=metadata, exchanges=marked, imported_from=imported_from)
    return cassette, digest.decode()


def _metadata(lines: bytes) -> CassetteMetadata:
    data: dict[str, object] = {}
    texts: dict[str, str] = {}
    entries = _ENTRY.findall(lines)
    for nested, name, value in entries:
        if nested:
            texts[_text(name)] = _text(value)
        else:
            data[name.decode()] = int(value) if value.isdigit() else _text(value)
    if len(data) + len(texts) != len(entries):
        raise _OtherError  # a name stands twice
    return CassetteMetadata.model_validate(data | {"texts": texts})


def _exchange(match: re.Match[bytes]) -> Exchange:
    method, uri, asked, sent, code, reason, told, came, started, head, duration, ending, sizes = match.groups()
    body = _content(came, _RESPONSE_INDENT)
    chunks = _chunks(sizes) if sizes else []
    if chunks and sum(chunk["size"] for chunk in chunks) != len(body):
        raise _OtherError
    request = {
        "method": _text(method).upper(),
        "uri": _text(uri),
        "headers": _headers(asked),
        "body": _content(sent, _REQUEST_INDENT),
    }
    response = {
        "status": int(code),
        "reason": _text(reason),
        "headers": _headers(told),
        "body": body,
        "chunks": chunks,
        "ending": ending.decode() if ending else Ending.COMPLETE,
    }
    times = {"started": int(started), "head": int(head), "duration": int(duration)}
    return Exchange.model_validate({"request": request, "response": response, **times})  # at once: the fastest way


def _chunks(data: bytes) -> list[dict[str, int]]:
    pairs = (item.split(b"@") for item in data.split(b" "))
    return [{"size": int(size), "at": int(at)} for size, at in pairs]


def _headers(lines: bytes) -> Headers:
    pairs = []
    names = set()
    for line in lines.decode().split("\n      ")[1:]:
        name, _, values = line.partition(": [")
        if name[0] in "'\"" or values[0] != "'" or "', '" in values:
            return _odd_headers(lines)
        names.add(name)
        pairs.append((name, values[1:-2].replace("''", "'")))
    if len(names) != len(pairs):
        raise _OtherError  # a name stands twice
    return tuple(pairs)


def _odd_headers(lines: bytes) -> Headers:
    """Where a name or a value stands in double quotes, or a name has several values."""
    pairs = []
    names = set()
    for line in lines.split(b"\n      ")[1:]:
        key = _VALUE.match(line) if line[:1] in b"'\"" else None
        name = _text(key[0]) if key else line.partition(b": ")[0].decode()
        names.add(name)
        rest = line[key.end() if key else len(name) :]
        pairs += [(name.lower(), _text(value)) for value in _VALUE.findall(rest)]
    if len(names) != lines.count(b"\n"):
        raise _OtherError
    return tuple(pairs)


def _content(scalar: bytes, indent: str) -> bytes:
    """A body, and the line break after it, as the bytes that it stands for."""
    if scalar[:1] == b"|":
        first, _, lines = scalar.partition(b"\n")
        body = b"\n".join(lines[len(indent) :].split(f"\n{indent}".encode()))  # faster than to replace them
        return body if first == b"|+" else body.rstrip(b"\n") + (b"" if first == b"|-" else b"\n")
    if scalar[:1] == b"'" and scalar[-2:-1] == b"'" and len(scalar) > 2:  # two quotes and the line break
        text = scalar[1:-2]
        if b"'" not in text:
            return text
        if b"'" not in text.replace(b"''", b""):
            return text.replace(b"''", b"'")
    if match := _BINARY.fullmatch(scalar):
        return base64.b64decode(match[1], validate=True)
    if scalar[:1] == b'"' and _VALUE.fullmatch(scalar, 0, len(scalar) - 1):
        return _unquoted(scalar[:-1])
    raise _OtherError


def _text(scalar: bytes) -> str:
    return _unquoted(scalar).decode()


def _unquoted(scalar: bytes) -> bytes:
    if scalar[:1] == b"'":
        return scalar[1:-1].replace(b"''", b"'")
    text = scalar.decode()
    if "\\x" not in text:  # then JSON knows every escape
        decoded: str = json.loads(text, strict=False)
        return decoded.encode()
    return _ESCAPE.sub(_meant, text[1:-1]).encode()


def _meant(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPES.get(match[3], match[3])
