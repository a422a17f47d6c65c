"""How a request can end without a whole response, in one vocabulary for all clients."""

from __future__ import annotations

from enum import StrEnum

from harness.records.exchange import Ending, HttpResponse

__all__ = ["NO_RESPONSE", "Failure", "failed_response", "failure_of"]

NO_RESPONSE = 0
"""The status of an exchange in which no response arrived; its reason is then the failure's name."""


class Failure(StrEnum):
    """What a client would raise, by the name that httpx gives it."""

    CONNECT_ERROR = "ConnectError"
    CONNECT_TIMEOUT = "ConnectTimeout"
    POOL_TIMEOUT = "PoolTimeout"
    READ_ERROR = "ReadError"
    READ_TIMEOUT = "ReadTimeout"
    REMOTE_PROTOCOL_ERROR = "RemoteProtocolError"
    WRITE_ERROR = "WriteError"
    WRITE_TIMEOUT = "WriteTimeout"

    @property
    def ending(self) -> Ending:
        """How a response ends that breaks off so."""
        if self.value.endswith("Timeout"):
            return Ending.STALLED
        return Ending.CUT if self is Failure.REMOTE_PROTOCOL_ERROR else Ending.RESET


_OF_ENDING = {
    Ending.CUT: Failure.REMOTE_PROTOCOL_ERROR,
    Ending.RESET: Failure.READ_ERROR,
    Ending.STALLED: Failure.READ_TIMEOUT,
}


def failed_response(failure: Failure) -> HttpResponse:
    """Stands for the response that never came."""
    return HttpResponse(status=NO_RESPONSE, reason=failure, ending=failure.ending)


def failure_of(response: HttpResponse) -> Failure | None:
    """What the client sees after the last byte; None where the response ends well, or the client closed it."""
    if response.status == NO_RESPONSE and response.reason in set(Failure):
        return Failure(response.reason)
    return _OF_ENDING.get(response.ending)
