"""What telemetry meets in a replay: an answer that comes from nowhere and concerns no trial."""

from __future__ import annotations

import logging
import threading

from harness.cassettes.sessions import Playback
from harness.cassettes.telemetry import service_of
from harness.errors import CassetteMissError
from harness.records.exchange import Exchange, HttpRequest, HttpResponse
from harness.seams import RecordedClock

__all__ = ["SILENT"]

_LOG = logging.getLogger(__name__)


class _Silent:
    """Answers every report as a service does that has taken it, and says once per service that none was sent."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def meet(self, request: HttpRequest) -> Playback:
        """The answer."""
        service = service_of(request.uri)
        name = service.name if service else request.uri
        with self._lock:
            is_new = name not in self._said
            self._said.add(name)
        if is_new:
            _LOG.warning("telemetry of %s was not sent: a replay stays offline", name)
        response = HttpResponse(status=200, reason="OK", headers=(("content-type", "application/json"),), body=b"{}")
        exchange = Exchange(request=request, response=response, started=0, head=0, duration=0)
        return Playback(exchange, RecordedClock())

    def refuse(self, cause: str, current: str) -> CassetteMissError:
        """The error for a report that can't be answered; it concerns no trial."""
        return CassetteMissError(cause)


SILENT = _Silent()
