"""Our requests and responses in the form in which vcrpy hands them to a user's filters and matchers, and back.

Imports vcrpy, so it is imported only where a user has such settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vcr.matchers import requests_match  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]
from vcr.util import CaseInsensitiveDict  # type: ignore[import-untyped]

from harness.cassettes.cleaning import clean_exchange
from harness.records.exchange import Exchange, Headers, HttpRequest, HttpResponse

__all__ = ["filter_request", "filter_response", "same_request"]


def filter_request(request: HttpRequest, function: Callable[[Any], Any]) -> HttpRequest | None:
    """What vcrpy's filter leaves of a request; None where it is not to be recorded."""
    theirs = _theirs(request)
    kept = function(theirs)
    if kept is None:
        return None
    headers = tuple((str(name).lower(), _text(value)) for name, value in kept.headers.items())
    body = kept.body if isinstance(kept.body, bytes) else bytes(kept.body or b"")
    if headers == _joined(request.headers) and (kept.method, kept.uri, body) == (
        request.method,
        request.uri,
        request.body,
    ):
        return request
    return HttpRequest(method=kept.method, uri=kept.uri, headers=headers, body=body)


def filter_response(response: HttpResponse, function: Callable[[Any], Any]) -> HttpResponse | None:
    """What vcrpy's filter leaves of a response; None where its exchange is not to be recorded.

    The filter sees the content decoded, and finds headers whatever their case. A body that it changes loses its chunks.
    """
    if response.status == 0:
        return response  # none arrived, which vcrpy would not have seen
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    theirs = {
        "status": {"code": response.status, "message": response.reason},
        "headers": CaseInsensitiveDict(headers),
        "body": {"string": response.body},
    }
    kept = function(theirs)
    if kept is None:
        return None
    body = kept["body"]["string"]
    body = body.encode() if isinstance(body, str) else bytes(body)
    return response.model_copy(
        update={
            "status": int(kept["status"]["code"]),
            "reason": str(kept["status"]["message"] or ""),
            "headers": _pairs(kept["headers"]),
            "body": body,
            "chunks": response.chunks if body == response.body else (),
        }
    )


def same_request(current: HttpRequest, recorded: HttpRequest, matchers: Sequence[Callable[..., Any]]) -> bool:
    """Whether vcrpy's matchers call two requests the same. Only headers that are kept take part."""
    return bool(requests_match(_theirs(_kept(current)), _theirs(_kept(recorded)), list(matchers)))


def _kept(request: HttpRequest) -> HttpRequest:
    return clean_exchange(Exchange(request=request, response=HttpResponse(status=0))).request


def _theirs(request: HttpRequest) -> Any:
    return Request(request.method, request.uri, request.body, dict(_joined(request.headers)))


def _joined(headers: Headers) -> Headers:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return tuple(joined.items())


def _pairs(headers: Mapping[str, Any]) -> Headers:
    return tuple(
        (str(name).lower(), _text(value))
        for name, values in headers.items()
        for value in (values if isinstance(values, list | tuple) else [values])
    )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
