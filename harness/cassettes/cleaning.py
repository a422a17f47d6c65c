"""What of an exchange may be kept: listed headers only, content decoded, and nothing that is secret.

In a response a mask is as long as what it hides, so that chunks and frames keep their sizes. In a request it is not: a
request is only ever compared, and the key that the agent has at the replay is another one.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterable

from harness.cassettes.content import decode_response, is_over
from harness.cassettes.failures import NO_RESPONSE
from harness.cassettes.headers import KEPT, kept_value
from harness.records.exchange import Ending, Exchange, Headers, HttpRequest, HttpResponse
from harness.secrets import Finding, Secrets, is_secret_value, known_secrets, replaced, unpacked

__all__ = ["clean_exchange", "mask_request"]

_LOG = logging.getLogger(__name__)
_RESPONSE_HEADERS = {
    "content-encoding",
    "content-type",
    "location",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "x-should-retry",
    "x-simulated-provider",
}
_RESPONSE_FAMILIES = ("anthropic-ratelimit-", "x-ratelimit-")
_ADDRESSES = {"helicone-openai-api-base", "helicone-target-url", "location", "x-portkey-custom-host"}
_STREAMS = ("text/event-stream", "application/x-ndjson", "application/jsonl", "application/vnd.amazon.eventstream")
_CREDENTIALS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token")
_WRAPPED = re.compile(rb'"bytes":"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"')
_BINARY = "application/vnd.amazon.eventstream"
_NOT_KEPT = b"harness: this body held a secret that could not be masked, so the body was not kept"


def clean_exchange(exchange: Exchange, secrets: Secrets | None = None) -> Exchange:
    """The exchange as it may be kept. What was masked is logged by its place and kind, never by its value."""
    sent, response = exchange.request, decode_response(exchange.response)
    secrets = _with_credentials(secrets or known_secrets(), sent)
    asked = _listed(sent.headers, KEPT.__contains__)
    request = sent.model_copy(update={"headers": tuple((name, kept_value(name, value)) for name, value in asked)})
    response = response.model_copy(update={"headers": _listed(response.headers, _is_kept)})
    if response.ending is Ending.ABANDONED and (is_over(response.body) or _is_whole(sent, exchange.response)):
        response = response.model_copy(update={"ending": Ending.COMPLETE})
    if not _is_stream(response) and response.ending is Ending.COMPLETE:
        response = response.model_copy(update={"chunks": ()})  # how TCP happened to cut a whole reply says nothing
    masked = mask_request(request, secrets)
    found = secrets.find(sent.uri.encode(), address=True), secrets.find(unpacked(request.body))
    _tell("request's address", found[0], masked.uri)
    _tell("request's body", found[1], masked.uri)
    if masked.headers != request.headers:
        _tell("request's headers", _find_in_headers(request.headers, secrets), masked.uri)
    return exchange.model_copy(update={"request": masked, "response": _mask_response(response, secrets, masked.uri)})


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
    found = _find_in_headers(response.headers, secrets)
    if found:
        update["headers"] = _mask_headers(response.headers, secrets)
        _tell("response's headers", found, uri)
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
        headers = _mask_headers(response.headers, secrets)
        headers = tuple((name, value) for name, value in headers if name != "content-encoding")
        update |= {"body": _NOT_KEPT, "chunks": (), "headers": headers}
    return response.model_copy(update=update) if update else response


def _with_credentials(secrets: Secrets, request: HttpRequest) -> Secrets:
    """With the keys that this request carries: a server may say them back, wherever they came from."""
    values = {}
    for name, value in request.headers:
        secret = value.rpartition(" ")[2]
        if name.lower() in _CREDENTIALS and is_secret_value(secret):
            values[secret] = f"the header {name.lower()}"
    return secrets.adding(values)


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


def _listed(headers: Headers, keep: Callable[[str], bool]) -> Headers:
    """The headers to keep, the values of a name joined, as HTTP allows for each of them."""
    joined: dict[str, str] = {}
    for name, value in headers:
        if keep(name.lower()):
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    return tuple(joined.items())


def _is_kept(name: str) -> bool:
    return name in _RESPONSE_HEADERS or name.startswith(_RESPONSE_FAMILIES)


def _is_stream(response: HttpResponse) -> bool:
    return any(name == "content-type" and value.lower().startswith(_STREAMS) for name, value in response.headers)
