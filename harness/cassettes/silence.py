"""How telemetry is answered in a replay: nothing of it is sent, and the library that reports need not know."""

from __future__ import annotations

import logging
import threading

from harness.cassettes.telemetry import service_of
from harness.records.exchange import Exchange, HttpRequest, HttpResponse

__all__ = ["unsent"]

_LOG = logging.getLogger(__name__)
_SAID: set[str] = set()
_LOCK = threading.Lock()


def unsent(request: HttpRequest) -> Exchange:
    """Answer a report as a service does that has taken it, and say once per service that none was sent."""
    service = service_of(request.uri)
    name = service.name if service else request.uri
    with _LOCK:
        is_new = name not in _SAID
        _SAID.add(name)
    if is_new:
        _LOG.warning("telemetry of %s was not sent: a replay stays offline", name)
    response = HttpResponse(status=200, reason="OK", headers=(("content-type", "application/json"),), body=b"{}")
    return Exchange(request=request, response=response, started=0, head=0, duration=0)
