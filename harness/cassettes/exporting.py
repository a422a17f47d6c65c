"""Writes a cassette the way stock vcrpy would have, by vcrpy's own serializer."""

from __future__ import annotations

from vcr.request import Request  # type: ignore[import-untyped]
from vcr.serialize import serialize  # type: ignore[import-untyped]
from vcr.serializers import yamlserializer  # type: ignore[import-untyped]

from harness.cassettes.failures import NO_RESPONSE
from harness.cassettes.form import group_headers
from harness.records.exchange import Exchange

__all__ = ["write_for_vcrpy"]


def write_for_vcrpy(exchanges: tuple[Exchange, ...]) -> str:
    """The file, without what is ours: times, chunks and endings are lost.

    Raises :class:`ValueError` where an exchange has no response, which vcrpy can't keep.
    """
    for number, exchange in enumerate(exchanges, 1):
        if exchange.response.status == NO_RESPONSE:
            raise ValueError(
                f"exchange {number} had no response ({exchange.response.reason}), which vcrpy can't replay"
            )
    requests = [_request(exchange) for exchange in exchanges]
    responses = [_response(exchange) for exchange in exchanges]
    text: str = serialize({"requests": requests, "responses": responses}, yamlserializer)
    return text


def _request(exchange: Exchange) -> Request:
    request = exchange.request
    headers = {name: ", ".join(values) for name, values in group_headers(request.headers).items()}
    return Request(request.method, request.uri, request.body, headers)


def _response(exchange: Exchange) -> dict[str, object]:
    response = exchange.response
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": group_headers(response.headers),
        "body": {"string": response.body},
    }
