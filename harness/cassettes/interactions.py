"""What the tree of a cassette says: our own files, and those of the tools that others record with.

Known are vcrpy's version 1 in YAML and JSON, said or not, with bodies as text, base64 or data (``parsed_body``), and
its early httpx form; two lists of requests and responses (langchain-tests); the form of Ruby's VCR and of betamax; and
cassetter's.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator

import yaml
from pydantic import JsonValue, ValidationError

from harness.cassettes.content import decode_response, fit_length
from harness.cassettes.form import FORM, digest_of, read_chunks
from harness.cassettes.headers import LISTED, default_list, mark_unknown
from harness.cassettes.reading import BEFORE_VERSION_1, Node, UnreadableError
from harness.records.exchange import (
    Cassette,
    CassetteMetadata,
    Ending,
    Exchange,
    Headers,
    HttpRequest,
    HttpResponse,
)

__all__ = ["read_exchanges", "read_interactions"]

_OWN_KEYS = {"harness", "kept_headers", "imported_from", "exchanges", "digest"}
_NOT_ON_REPLAY = {"content-encoding", "transfer-encoding"}
"""Headers that speak of bytes on the wire which the file no longer holds."""
_KINDS = {"binary", "json", "none", "text"}
_RESOLVER = yaml.SafeLoader("")
_CONSTRUCT = {
    "tag:yaml.org,2002:bool": _RESOLVER.construct_yaml_bool,
    "tag:yaml.org,2002:int": _RESOLVER.construct_yaml_int,
    "tag:yaml.org,2002:float": _RESOLVER.construct_yaml_float,
}


def read_interactions(root: Node, text: str) -> Cassette:
    """The cassette that this tree of this text is. Raises :class:`UnreadableError`."""
    if isinstance(root.value, list) and root.value and "request" in _entries(root.value[0]):
        raise UnreadableError(1, BEFORE_VERSION_1)
    top = _mapping(root, "a cassette")
    pairs = _pairs(root)
    if "interactions" in top and "version" not in top and _may_be_cut(pairs, text):
        raise UnreadableError(1, "the file breaks off: vcrpy ends it with `version: 1`; add that if it is whole")
    if "metadata" not in top or "harness" not in _entries(top["metadata"]):
        number = LISTED if text.startswith("# journal ") else 0  # of ours, and its head is still to come
        return Cassette(exchanges=mark_unknown([_foreign(*pair) for pair in pairs], number, alike=True))
    exchanges = tuple(_read_exchange(*pair) for pair in pairs)
    own = _mapping(top["metadata"], "`metadata`")
    if _number(own["harness"]) != FORM:
        raise UnreadableError(own["harness"].line, f"was written in form {own['harness'].value!r}; update the harness")
    count = _number(_need(top["metadata"], "exchanges", "`metadata` has no"))
    if count != len(exchanges):
        last = text.count("\n") + 1
        raise UnreadableError(
            last, f"holds {len(exchanges)} exchanges where {count} were recorded: it was cut or edited"
        )
    digest = _need(top["metadata"], "digest", "`metadata` has no")
    if _text(digest) != digest_of(exchanges) or not text.endswith("\n"):
        raise UnreadableError(digest.line, "is not what was recorded: the digest differs, so it was cut or edited")
    metadata = _read_metadata(top["metadata"])
    imported_from = _text(own["imported_from"]) if "imported_from" in own else None
    marked = mark_unknown(exchanges, _list_of(own, metadata), alike=metadata is None)
    return Cassette(metadata=metadata, exchanges=marked, imported_from=imported_from)


def _list_of(own: dict[str, Node], metadata: CassetteMetadata | None) -> int:
    """The number of the list of headers that was kept."""
    if "kept_headers" not in own:
        return default_list(metadata)
    number = _number(own["kept_headers"])
    if number > LISTED:
        raise UnreadableError(own["kept_headers"].line, f"keeps the headers of list {number}; update the harness")
    return number


def read_exchanges(root: Node) -> tuple[Exchange, ...]:
    """The exchanges of a file of our own that has no head yet. Raises :class:`UnreadableError`."""
    return tuple(_read_exchange(*pair) for pair in _pairs(root))


def _pairs(root: Node) -> list[tuple[Node, Node]]:
    """Each request and its response. Every tool's own file ends in something by which a cut one shows."""
    top = _mapping(root, "a cassette")
    if "requests" in top and "responses" in top:
        requests, responses = _list(top["requests"]), _list(top["responses"])
        if len(requests) != len(responses):
            what = f"the file breaks off: it holds {len(requests)} requests and {len(responses)} responses"
            raise UnreadableError(top["responses"].line, what)
        return list(zip(requests, responses, strict=True))
    key = "interactions"
    if "http_interactions" in top:
        key = "http_interactions"
        _need(root, "recorded_with", "the file breaks off: it has no")
    elif "version" in top and (version := _text(top["version"])) != "1":
        raise UnreadableError(top["version"].line, f"is a cassette of version {version}; only 1 can be read")
    items = _list(_need(root, key, "the file breaks off, or is no cassette: it has no"))
    needed = "an exchange has no"
    return [(_need(item, "request", needed), _need(item, "response", needed)) for item in items]


def _may_be_cut(pairs: list[tuple[Node, Node]], text: str) -> bool:
    """Whether a file without version may be the first part of one that vcrpy wrote, which ends with its version.

    A file by hand may have none: vcrpy never asks for it. What a serializer wrote has its keys in order. JSON that lost
    its end is not JSON.
    """
    keys = [list(_entries(node)) for pair in pairs for node in pair]
    return bool(keys) and keys == list(map(sorted, keys)) and not text.lstrip().startswith("{")


def _read_metadata(node: Node) -> CassetteMetadata | None:
    data = {key: _data(value) for key, value in _mapping(node, "`metadata`").items() if key not in _OWN_KEYS}
    if not data:
        return None
    try:
        return CassetteMetadata.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UnreadableError(node.line, f"has unusable metadata: {place}: {first['msg']}") from error


def _foreign(request: Node, response: Node) -> Exchange:
    """An exchange that another tool wrote: its content decoded, and no headers that do not fit it."""
    exchange = _read_exchange(request, response)
    decoded = decode_response(exchange.response)
    headers = decoded.headers
    if exchange.request.method != "HEAD" and (decoded is not exchange.response or _is_text(decoded.body)):
        headers = tuple((name, value) for name, value in headers if name not in _NOT_ON_REPLAY)
    fitted = fit_length(decoded.model_copy(update={"headers": headers}), exchange.request.method)
    return exchange.model_copy(update={"response": fitted})


def _is_text(body: bytes) -> bool:
    """Whether a body is no longer coded, whatever its headers say: coded bytes are not UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_exchange(request: Node, response: Node) -> Exchange:
    extras = _mapping(_mapping(response, "`response`").get("harness") or Node(response.line, {}), "`harness`")
    with _blaming(response):
        return Exchange(
            request=_read_request(request),
            response=_read_response(response, extras),
            **{name: _number(extras[name]) for name in ("started", "head", "duration") if name in extras},
        )


def _read_request(node: Node) -> HttpRequest:
    return HttpRequest(
        method=_text(_need(node, "method", "a request has no")).upper(),
        uri=_text(_need(node, "uri", "a request has no")),
        headers=_read_headers(_mapping(node, "`request`").get("headers")),
        body=_body_of(node, is_request=True),
    )


def _read_response(node: Node, extras: dict[str, Node]) -> HttpResponse:
    entries = _mapping(node, "`response`")
    early = "status_code" in entries  # what vcrpy's first httpx support wrote
    status = entries["status_code"] if early else _need(node, "status", "a response has no")
    message = None
    if isinstance(status.value, dict):
        message = status.value.get("message")
        status = _need(status, "code", "`status` has no")
    with _blaming(node):
        response = HttpResponse(
            status=_number(status),
            reason=_text(message) if message and message.value is not None else "",
            headers=_read_headers(entries.get("headers")),
            body=_body(_need(node, "content", "a response has no")) if early else _body_of(node),
            ending=Ending(_text(extras["ending"])) if "ending" in extras else Ending.COMPLETE,
            chunks=read_chunks(_text(extras["chunks"])) if "chunks" in extras else (),
        )
    if response.chunks and sum(chunk.size for chunk in response.chunks) != len(response.body):
        raise UnreadableError(extras["chunks"].line, "has chunks that do not add up to the body")
    return response


def _read_headers(node: Node | None) -> Headers:
    if node is None or node.value is None:
        return ()
    pairs = []
    for name, values in _mapping(node, "`headers`").items():
        pairs += [(name.lower(), _header(value)) for value in _flat(values)]
    return tuple(pairs)


def _flat(node: Node) -> Iterator[Node]:
    """One value, or several; langchain-tests puts each list into another one."""
    if isinstance(node.value, list):
        for item in node.value:
            yield from _flat(item)
    else:
        yield node


def _header(node: Node) -> str:
    if isinstance(node.value, bytes):
        return node.value.decode("latin-1")
    return "" if node.value is None else _text(node)


def _body_of(node: Node, *, is_request: bool = False) -> bytes:
    entries = _mapping(node, "this place")
    parsed = entries.get("parsed_body")
    if parsed is not None and parsed.value is not None:
        return _json(parsed)
    if "body" not in entries:
        return b""
    body = entries["body"]
    if is_request and isinstance(body.value, dict | list) and not (_is_wrapped(body) or _has_kind(body)):
        return _json(body)  # aiohttp's JSON bodies, as vcrpy keeps them
    return _body(body)


def _body(node: Node) -> bytes:
    if node.value is None or node.value == {}:
        return b""
    if isinstance(node.value, bytes):
        return node.value
    if isinstance(node.value, str):
        return node.value.encode()
    if _is_wrapped(node):
        return _wrapped(_entries(node))
    if _has_kind(node):
        return _of_kind(_entries(node))
    what = "holds a body in a form of its own; save the cassette with one of vcrpy's own serializers first"
    raise UnreadableError(node.line, what)


def _is_wrapped(node: Node) -> bool:
    keys = _entries(node).keys()
    return bool(keys & {"string", "base64_string"}) and keys <= {"encoding", "string", "base64_string"}


def _has_kind(node: Node) -> bool:
    entries = _entries(node)
    return entries.keys() <= {"type", "content"} and "type" in entries and entries["type"].value in _KINDS


def _wrapped(entries: dict[str, Node]) -> bytes:
    """As every response has it; Ruby's VCR adds the encoding, and keeps in base64 what is no text."""
    if "base64_string" not in entries:
        return _body(entries["string"])
    node = entries["base64_string"]
    with _blaming(node):
        return base64.b64decode("".join(_text(node).split()), validate=True)


def _of_kind(entries: dict[str, Node]) -> bytes:
    """As cassetter has it: bytes in hexadecimal, JSON as data."""
    kind, node = entries["type"].value, entries.get("content")
    if kind == "none" or node is None:
        return b""
    if kind == "json":
        return _json(node)
    if kind == "text" or isinstance(node.value, bytes):
        return _body(node)
    with _blaming(node):
        return bytes.fromhex(_text(node))


def _json(node: Node) -> bytes:
    return json.dumps(_data(node), ensure_ascii=False, separators=(",", ":")).encode()


def _data(node: Node) -> JsonValue:
    """The value as YAML 1.1 takes it, since that is what every tool wrote it in. A date stays text."""
    value = node.value
    if isinstance(value, dict):
        return {key: _data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_data(item) for item in value]
    if isinstance(value, bytes):
        raise UnreadableError(node.line, "holds binary data where text was expected")
    if value is None or not node.is_plain:
        return value
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    construct = _CONSTRUCT.get(tag)
    with _blaming(node):
        return construct(yaml.ScalarNode(tag, value)) if construct else value


def _need(node: Node, key: str, what: str) -> Node:
    found = _mapping(node, "this place").get(key)
    if found is None:
        raise UnreadableError(node.line, f"{what} `{key}`")
    return found


def _mapping(node: Node, what: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise UnreadableError(node.line, f"{what} must be a mapping")
    return node.value


def _entries(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


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
