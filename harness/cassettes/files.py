"""Cassettes on disk: written whole or not at all, and read only when whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue, ValidationError

from harness.cassettes.content import decode_response
from harness.cassettes.form import FORM, digest_of, read_chunks
from harness.cassettes.reading import Node, UnreadableError, read_yaml
from harness.cassettes.writing import write_cassette
from harness.disk import write_whole
from harness.errors import CassetteError
from harness.records.exchange import (
    Cassette,
    CassetteMetadata,
    Ending,
    Exchange,
    Headers,
    HttpRequest,
    HttpResponse,
)

__all__ = ["load_cassette", "save_cassette"]

T = TypeVar("T")

_MAX_BYTES = 64 * 1024 * 1024
_REMEDY = "restore it from version control, or record it again"
_OWN_KEYS = {"harness", "exchanges", "digest"}


def save_cassette(path: Path, cassette: Cassette) -> None:
    """Write the file: whole, synced, then renamed into its place. Missing folders are made.

    Raises :class:`CassetteError` where the disk refuses; an earlier file is then as it was.
    """
    try:
        write_whole(path, write_cassette(cassette).encode())
    except (OSError, UnicodeEncodeError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise CassetteError(f"{_shown(path)}:1: can't be written: {what}; nothing was changed") from error


def load_cassette(path: Path) -> Cassette:
    """Read a cassette of ours, or of any tool that writes vcrpy's version 1.

    Raises :class:`CassetteError` with ``path:line`` where the file can't be read, or is not what was once written.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableError(1, f"is larger than {_MAX_BYTES // 1024 // 1024} MiB")
        data = path.read_bytes()
        text = data.decode()
        return _read_cassette(read_yaml(text), text)
    except OSError as error:
        raise CassetteError(f"{_shown(path)}:1: can't be read: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CassetteError(f"{_shown(path)}:{line}: is not UTF-8; {_REMEDY}") from error
    except UnreadableError as error:
        raise CassetteError(f"{_shown(path)}:{error.line}: {error.what}; {_REMEDY}") from error


def _read_cassette(root: Node, text: str) -> Cassette:
    top = _mapping(root, "a cassette")
    version = _text(_need(root, "version", "the file breaks off, or is no cassette: it has no"))
    if version != "1":
        raise UnreadableError(top["version"].line, f"is a cassette of version {version}; only 1 can be read")
    items = _list(_need(root, "interactions", "the file breaks off: it has no"))
    exchanges = tuple(map(_read_exchange, items))
    if "metadata" not in top or "harness" not in _mapping(top["metadata"], "`metadata`"):
        return Cassette(exchanges=tuple(map(_decode_content, exchanges)))
    last = text.count("\n") + 1
    own = _mapping(top["metadata"], "`metadata`")
    if _number(own["harness"]) != FORM:
        raise UnreadableError(own["harness"].line, f"was written in form {own['harness'].value!r}; update the harness")
    count = _number(_need(top["metadata"], "exchanges", "`metadata` has no"))
    if count != len(exchanges):
        raise UnreadableError(
            last, f"holds {len(exchanges)} exchanges where {count} were recorded: it was cut or edited"
        )
    digest = _need(top["metadata"], "digest", "`metadata` has no")
    if _text(digest) != digest_of(exchanges) or not text.endswith("\n"):
        raise UnreadableError(digest.line, "is not what was recorded: the digest differs, so it was cut or edited")
    return Cassette(metadata=_read_metadata(top["metadata"]), exchanges=exchanges)


def _read_metadata(node: Node) -> CassetteMetadata | None:
    data = {key: _plain(value) for key, value in _mapping(node, "`metadata`").items() if key not in _OWN_KEYS}
    if not data:
        return None
    try:
        return CassetteMetadata.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UnreadableError(node.line, f"has unusable metadata: {place}: {first['msg']}") from error


def _read_exchange(node: Node) -> Exchange:
    request = _need(node, "request", "an exchange has no")
    response = _need(node, "response", "an exchange has no")
    extras = _mapping(_mapping(response, "`response`").get("harness") or Node(response.line, {}), "`harness`")
    with _blaming(response):
        return Exchange(
            request=_read_request(request),
            response=_read_response(response, extras),
            **{name: _number(extras[name]) for name in ("started", "head", "duration") if name in extras},
        )


def _read_request(node: Node) -> HttpRequest:
    return HttpRequest(
        method=_text(_need(node, "method", "a request has no")),
        uri=_text(_need(node, "uri", "a request has no")),
        headers=_read_headers(_mapping(node, "`request`").get("headers")),
        body=_body(_need(node, "body", "a request has no")),
    )


def _decode_content(exchange: Exchange) -> Exchange:
    return exchange.model_copy(update={"response": decode_response(exchange.response)})


def _read_response(node: Node, extras: dict[str, Node]) -> HttpResponse:
    if "status_code" in _mapping(node, "`response`"):
        return _read_early_response(node)
    status = _need(node, "status", "a response has no")
    message = _mapping(status, "`status`").get("message")
    body = _mapping(_need(node, "body", "a response has no"), "`body`").get("string")
    with _blaming(node):
        response = HttpResponse(
            status=_number(_need(status, "code", "`status` has no")),
            reason=_text(message) if message and message.value is not None else "",
            headers=_read_headers(_mapping(node, "`response`").get("headers")),
            body=_body(body) if body else b"",
            ending=Ending(_text(extras["ending"])) if "ending" in extras else Ending.COMPLETE,
            chunks=read_chunks(_text(extras["chunks"])) if "chunks" in extras else (),
        )
    if response.chunks and sum(chunk.size for chunk in response.chunks) != len(response.body):
        raise UnreadableError(extras["chunks"].line, "has chunks that do not add up to the body")
    return response


def _read_early_response(node: Node) -> HttpResponse:
    """What vcrpy's first httpx support wrote."""
    with _blaming(node):
        return HttpResponse(
            status=_number(_need(node, "status_code", "a response has no")),
            headers=_read_headers(_mapping(node, "`response`").get("headers")),
            body=_body(_need(node, "content", "a response has no")),
        )


def _read_headers(node: Node | None) -> Headers:
    if node is None or node.value is None:
        return ()
    pairs = []
    for name, values in _mapping(node, "`headers`").items():
        listed = values.value if isinstance(values.value, list) else [values]
        pairs += [(name.lower(), _text(value)) for value in listed]
    return tuple(pairs)


def _body(node: Node) -> bytes:
    if node.value is None:
        return b""
    if isinstance(node.value, bytes):
        return node.value
    if isinstance(node.value, str):
        return node.value.encode()
    return json.dumps(_plain(node), ensure_ascii=False).encode()  # aiohttp's JSON bodies, as vcrpy keeps them


def _plain(node: Node) -> JsonValue:
    if isinstance(node.value, dict):
        return {key: _plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    if isinstance(node.value, bytes):
        raise UnreadableError(node.line, "holds binary data where text was expected")
    return node.value


def _need(node: Node, key: str, what: str) -> Node:
    found = _mapping(node, "this place").get(key)
    if found is None:
        raise UnreadableError(node.line, f"{what} `{key}`")
    return found


def _mapping(node: Node, what: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise UnreadableError(node.line, f"{what} must be a mapping")
    return node.value


def _list(node: Node) -> list[Node]:
    if not isinstance(node.value, list):
        raise UnreadableError(node.line, "the file breaks off: a list was expected here")
    return node.value


def _text(node: Node) -> str:
    if not isinstance(node.value, str):
        raise UnreadableError(node.line, "holds something else where text was expected")
    return node.value


def _number(node: Node) -> int:
    text = _text(node)
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise UnreadableError(node.line, f"holds {text[:40]!r} where a whole number was expected")
    return int(text)


@contextlib.contextmanager
def _blaming(node: Node) -> Iterator[None]:
    """Name the line of a value that a record refuses."""
    try:
        yield
    except ValueError as error:
        raise UnreadableError(node.line, f"holds a value that can't be used: {str(error).splitlines()[0]}") from error


def _shown(path: Path) -> str:
    """The path as a user would type it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
