"""What of an exchange may be kept: the content decoded, headers that a client acts on, and nothing that is secret.

In a response a mask is as long as what it hides, so that chunks and frames keep their sizes. In a request it is not: a
request is only ever compared, and the key that the agent has at the replay is another one.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable

from harness.cassettes.content import decode_response, fit_length, is_over
from harness.cassettes.failures import NO_RESPONSE
from harness.cassettes.headers import KEPT, kept_value
from harness.cassettes.response_headers import (
    dropped_values,
    find_by_look,
    find_by_name,
    is_kept,
    is_token,
    masked_values,
)
from harness.records.exchange import Chunk, Ending, Exchange, Headers, HttpRequest, HttpResponse
from harness.secrets import (
    Finding,
    Secrets,
    declared_redaction,
    is_secret_value,
    known_secrets,
    replaced,
    unpacked,
)

__all__ = ["Cleaner", "clean_exchange", "mask_request"]

_LOG = logging.getLogger(__name__)
_ADDRESSES = {"helicone-openai-api-base", "helicone-target-url", "location", "x-portkey-custom-host"}
_TELLING = 6
"""How long a value is at least that is no word by chance."""
_AT_ONCE = 100_000_000
"""Nanoseconds: shorter than any time limit of a client."""
_STREAMS = ("text/event-stream", "application/x-ndjson", "application/jsonl", "application/vnd.amazon.eventstream")
_CREDENTIALS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token")
_WRAPPED = re.compile(rb'"bytes":"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"')
_BINARY = "application/vnd.amazon.eventstream"
_NOT_KEPT = b"harness: this body held a secret that could not be masked, so the body was not kept"


class Cleaner:
    """Cleans the exchanges of one trial: what a server gave in a header is masked wherever it comes again."""

    def __init__(self) -> None:
        self._declared = declared_redaction()  # which the code that asks later may not know
        self._minted: dict[str, str] = {}
        """Such values, and where they stood first."""
        self._lost: dict[str, str] = {}
        """Values of headers that are not kept as they are, and may be an agent's own words elsewhere."""

    def hear(self, request: HttpRequest, headers: Headers) -> None:
        """Learn what the headers of a response bring that no recording holds."""
        place = self._place(request)
        for name, value in masked_values(headers):
            known = self._minted if is_token(value) else self._lost
            known[value] = f"the header {name} of {place}"
        dropped = ((name, value) for name, value in dropped_values(headers) if is_token(value))
        self._lost |= {value: f"the header {name} of {place}" for name, value in dropped}

    def check(self, request: HttpRequest) -> None:
        """Warn of a request that no replay will match, should it hold what the replay can't give the agent."""
        for value, place in self._lost.items():
            if len(value) >= _TELLING and (value in request.uri or value.encode() in request.body):
                said = "%s is not kept; if its value in %s is from there, no replay matches that"
                _LOG.warning(said, place, self._place(request))

    def clean(self, exchange: Exchange) -> Exchange:
        """The exchange as it may be kept."""
        return clean_exchange(exchange, self._secrets())

    def _place(self, request: HttpRequest) -> str:
        return f"{request.method} {self._secrets().mask(request.uri.encode(), address=True).decode()}"

    def _secrets(self) -> Secrets:
        return known_secrets(declared=self._declared).adding(self._minted)


def clean_exchange(exchange: Exchange, secrets: Secrets | None = None) -> Exchange:
    """The exchange as it may be kept. What was masked is logged by its place and kind, never by its value."""
    sent, response = exchange.request, decode_response(exchange.response)
    secrets = _with_credentials(secrets or known_secrets(), sent)
    asked = ((name, kept_value(name, value)) for name, value in _listed(sent.headers))
    request = sent.model_copy(update={"headers": tuple(asked)})
    response = response.model_copy(update={"headers": tuple(pair for pair in response.headers if is_kept(pair[0]))})
    if response.ending is Ending.ABANDONED and (is_over(response.body) or _is_whole(sent, exchange.response)):
        response = response.model_copy(update={"ending": Ending.COMPLETE})
    if not _is_stream(response) and response.ending is Ending.COMPLETE:
        response = response.model_copy(update={"chunks": _waited_for(response.chunks)})
    masked = mask_request(request, secrets)
    found = secrets.find(sent.uri.encode(), address=True), secrets.find(unpacked(request.body))
    _tell("request's address", found[0], masked.uri)
    _tell("request's body", found[1], masked.uri)
    if masked.headers != request.headers:
        _tell("request's headers", _find_in_headers(request.headers, secrets), masked.uri)
    response = fit_length(_mask_response(response, secrets, masked.uri), sent.method)
    return exchange.model_copy(update={"request": masked, "response": response})


def _is_whole(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether the head announced no more than has come: a client may close then, before we have seen the end."""
    if response.status != NO_RESPONSE and (request.method == "HEAD" or response.status in (204, 304)):
        return True
    return dict(response.headers).get("content-length") == str(len(response.body))


def mask_request(request: HttpRequest, secrets: Secrets | None = None) -> HttpRequest:
    """The request as a recording of it would stand in a cassette. Masking twice changes nothing.

    The very same object where there is nothing to mask.
    """
    secrets = _with_credentials(secrets or known_secrets(), request)
    sent = request.uri.encode()
    uri, body, headers = secrets.mask(sent, address=True), unpacked(request.body), request.headers
    masked = secrets.mask(body)
    body = request.body if masked is body else masked  # what was packed and holds a secret is kept unpacked
    if _find_in_headers(headers, secrets):
        headers = _mask_headers(headers, secrets)
    if uri is sent and body is request.body and headers is request.headers:
        return request
    return request.model_copy(update={"uri": uri.decode(), "body": body, "headers": headers})


def _mask_response(response: HttpResponse, secrets: Secrets, uri: str) -> HttpResponse:
    update: dict[str, object] = {}
    headers = tuple((name, _mask_value(name, value, secrets, uri)) for name, value in response.headers)
    if headers != response.headers:
        update["headers"] = headers
    reason = response.reason.encode()
    if found := secrets.find(reason):
        update["reason"] = replaced(reason, found, keep_length=False).decode()
        _tell("response's status", found, uri)
    if not _is_coded(response):
        body, sizes, found = secrets.mask_body(response.body, (chunk.size for chunk in response.chunks))
        _tell("response's body", found, uri)
        if found:
            chunks = zip(response.chunks, sizes, strict=True)
            update |= {"body": body, "chunks": tuple(each.model_copy(update={"size": size}) for each, size in chunks)}
    elif found := secrets.find_in_body(_readable(response)):
        _tell("response's body", found, uri)
        _LOG.warning("a mask would break that body, so it was not kept; record it without the secret: %s", uri)
        headers = tuple((name, value) for name, value in headers if name != "content-encoding")
        update |= {"body": _NOT_KEPT, "chunks": (), "headers": headers}
    return response.model_copy(update=update) if update else response


def _waited_for(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """The pieces of a whole reply that are worth telling apart: how TCP cut what came at once says nothing.

    One that was long on its way is kept in parts, since a client's time limit is for each wait.
    """
    parts: list[Chunk] = []
    began = 0
    for chunk in chunks:
        if parts and chunk.at - began < _AT_ONCE:
            parts[-1] = Chunk(size=parts[-1].size + chunk.size, at=chunk.at)
        else:
            parts.append(chunk)
            began = chunk.at
    return tuple(parts) if len(parts) > 1 else ()


def _with_credentials(secrets: Secrets, request: HttpRequest) -> Secrets:
    """With the keys that this request carries: a server may say them back, wherever they came from."""
    values = {}
    for name, value in request.headers:
        secret = value.rpartition(" ")[2]
        if name.lower() in _CREDENTIALS and is_secret_value(secret):
            values[secret] = f"the header {name.lower()}"
    return secrets.adding(values)


def _mask_value(name: str, value: str, secrets: Secrets, uri: str) -> str:
    """The value of a response's header with masks as long as what they hide."""
    data = value.encode(errors="replace")
    named = find_by_name(name, data)  # not told: no recording goes without
    data = replaced(data, named, keep_length=True)
    found = secrets.find(data, address=b"?" in data or b"://" in data)
    data = replaced(data, found, keep_length=True)
    random = [] if named else find_by_look(name, data)
    _tell("response's headers", [*found, *random], uri)
    return replaced(data, random, keep_length=True).decode()


def _find_in_headers(headers: Headers, secrets: Secrets) -> list[Finding]:
    listed = ((name, value.encode(errors="replace")) for name, value in headers)
    return [each for name, value in listed for each in secrets.find(value, address=name in _ADDRESSES)]


def _mask_headers(headers: Headers, secrets: Secrets) -> Headers:
    return tuple(
        (name, secrets.mask(value.encode(errors="replace"), address=name in _ADDRESSES).decode())
        for name, value in headers
    )


def _tell(place: str, found: Iterable[Finding], uri: str) -> None:
    for kind in dict.fromkeys(finding.rule for finding in found):
        _LOG.warning("a secret was masked in the %s before it was kept (%s): %s", place, kind, uri)


def _is_coded(response: HttpResponse) -> bool:
    """Whether the body is in a form that a change would break."""
    return any(name == "content-encoding" or value.lower().startswith(_BINARY) for name, value in response.headers)


def _readable(response: HttpResponse) -> bytes:
    """The body; for Amazon's binary streams, the JSON of their frames, a line each."""
    if not any(name == "content-type" and value.lower().startswith(_BINARY) for name, value in response.headers):
        return response.body
    body, start, lines = response.body, 0, []
    while (length := int.from_bytes(body[start : start + 4])) > 16:
        payload = body[start + 12 + int.from_bytes(body[start + 4 : start + 8]) : start + length - 4]
        coded = _WRAPPED.search(payload)
        lines.append(base64.b64decode(coded[1]) if coded else payload)
        start += length
    return b"\n".join([*lines, body[start:]])


def _listed(headers: Headers) -> Headers:
    """A request's headers that are kept, the values of a name joined, as HTTP allows for each of them."""
    joined: dict[str, str] = {}
    for name, value in headers:
        if name.lower() in KEPT:
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    return tuple(joined.items())


def _is_stream(response: HttpResponse) -> bool:
    return any(name == "content-type" and value.lower().startswith(_STREAMS) for name, value in response.headers)
