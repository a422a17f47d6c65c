"""How a request can end without a whole response, in one vocabulary for all clients."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from harness.records.exchange import Ending, HttpResponse

__all__ = ["NO_RESPONSE", "Failure", "Limits", "failed_response", "failure_of", "read_limits", "timeout_of"]

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


Limits = Mapping[Failure, int]
"""A client's own time limits for one request: the longest wait in nanoseconds, by what its end is called."""

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


def timeout_of(failure: Failure | None) -> Failure:
    """The timeout of a wait that ends in this failure; where none is known, it was the reply that was waited for."""
    if failure in (Failure.CONNECT_ERROR, Failure.CONNECT_TIMEOUT):
        return Failure.CONNECT_TIMEOUT
    if failure in (Failure.WRITE_ERROR, Failure.WRITE_TIMEOUT):
        return Failure.WRITE_TIMEOUT
    return Failure.POOL_TIMEOUT if failure is Failure.POOL_TIMEOUT else Failure.READ_TIMEOUT


def read_limits(seconds: Mapping[Failure, float | None]) -> Limits:
    """A client's limits from what it holds: seconds, and None for a wait without end."""
    return {timeout: round(each * 1_000_000_000) for timeout, each in seconds.items() if each is not None}
