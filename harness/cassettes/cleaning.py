"""What of an exchange may be kept: listed headers only, content decoded, and nothing that looks like a key.

A mask is as long as what it hides, so that chunks and frames keep their sizes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from harness.cassettes.content import decode_response, is_over
from harness.records.exchange import Ending, Exchange, Headers, HttpRequest, HttpResponse

__all__ = ["clean_exchange", "mask_request"]

_LOG = logging.getLogger(__name__)
_REQUEST_HEADERS = {"accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta"}
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
_STREAMS = ("text/event-stream", "application/x-ndjson", "application/jsonl", "application/vnd.amazon.eventstream")
_SECRETS = (
    re.compile(rb"(?<![A-Za-z0-9])(sk-)(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"),
    re.compile(rb"((?:bearer|Bearer|BEARER) )[A-Za-z0-9._~+/-]{20,}=*"),
)
_URI_SECRETS = (
    re.compile(rb"((?:[?&](?:key|api[_-]?key|token|access_token|signature|sig)=))[^&#*]+", re.IGNORECASE),
    re.compile(rb"(://)[^/@?#*]+(?=@)"),
)


def clean_exchange(exchange: Exchange) -> Exchange:
    """The exchange as it may be kept. What was masked is logged by its place, never by its value."""
    request, response = exchange.request, decode_response(exchange.response)
    request = request.model_copy(update={"headers": _listed(request.headers, _REQUEST_HEADERS.__contains__)})
    response = response.model_copy(update={"headers": _listed(response.headers, _is_kept)})
    if response.ending is Ending.ABANDONED and is_over(response.body):
        response = response.model_copy(update={"ending": Ending.COMPLETE})
    if not _is_stream(response) and response.ending is Ending.COMPLETE:
        response = response.model_copy(update={"chunks": ()})  # how TCP happened to cut a whole reply says nothing
    masked = mask_request(request), _mask_response(response)
    for place, before, after in zip(("request", "response"), (request, response), masked, strict=True):
        for name in type(before).model_fields:
            if getattr(before, name) != getattr(after, name):
                _LOG.warning("a secret was masked in the %s's %s before it was kept: %s", place, name, masked[0].uri)
    return exchange.model_copy(update={"request": masked[0], "response": masked[1]})


def mask_request(request: HttpRequest) -> HttpRequest:
    """The request as a recording of it would stand in a cassette. Masking twice changes nothing."""
    uri = _mask(request.uri.encode(), _URI_SECRETS + _SECRETS).decode()
    body, headers = _mask(request.body), _mask_headers(request.headers)
    if (uri, body, headers) == (request.uri, request.body, request.headers):
        return request
    return request.model_copy(update={"uri": uri, "body": body, "headers": headers})


def _mask_response(response: HttpResponse) -> HttpResponse:
    body, headers = _mask(response.body), _mask_headers(response.headers)
    if (body, headers) == (response.body, response.headers):
        return response
    return response.model_copy(update={"body": body, "headers": headers})


def _mask_headers(headers: Headers) -> Headers:
    return tuple((name, _mask(value.encode(errors="replace")).decode()) for name, value in headers)


def _mask(data: bytes, patterns: tuple[re.Pattern[bytes], ...] = _SECRETS) -> bytes:
    for pattern in patterns:
        data = pattern.sub(_star, data)
    return data


def _star(match: re.Match[bytes]) -> bytes:
    kept = match.group(1)
    return kept + b"*" * (len(match.group()) - len(kept))


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
