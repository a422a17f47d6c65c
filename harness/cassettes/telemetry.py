"""What frameworks report of their runs to a service, mostly from a thread of their own: it is none of the agent's.

A replay sends none of it and takes no offence: the framework is answered as the service would, so that it neither tries
again nor complains. A recording is a live run, so there it goes out as ever, and is not recorded: whoever pays for the
run finds it where they look for their runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Service", "is_in_use", "service_of"]

_OTLP = ("/v1/traces", "/v1/metrics", "/v1/logs")


@dataclass(frozen=True, slots=True)
class Service:
    """Where one framework or library reports to."""

    name: str
    packages: tuple[str, ...]
    """The modules that report there; of OpenTelemetry, whose interface others import for nothing, the exporters."""
    hosts: tuple[str, ...]
    """Exactly as they stand in an address, the port included where it is not the scheme's."""
    paths: tuple[str, ...]
    """How the paths that are telemetry begin. The same host may serve other things, which the agent does need."""


SERVICES = (
    Service("OpenAI Agents SDK", ("agents",), ("api.openai.com",), ("/v1/traces/ingest",)),
    Service(
        "LangSmith",
        ("langsmith",),
        ("api.smith.langchain.com", "eu.api.smith.langchain.com", "beta.api.smith.langchain.com"),
        ("/runs/batch", "/runs/multipart", "/otel/v1/traces", "/info"),
    ),
    Service("Logfire", ("logfire",), ("logfire-us.pydantic.dev", "logfire-eu.pydantic.dev"), (*_OTLP, "/v1/info")),
    Service("PostHog", ("posthog",), ("us.i.posthog.com", "eu.i.posthog.com", "app.posthog.com"), ("/",)),
    Service("CrewAI", ("crewai",), ("telemetry.crewai.com:4319",), _OTLP),
    Service("Agno", ("agno",), ("os-api.agno.com",), ("/telemetry/",)),
    Service(
        "Langfuse",
        ("langfuse", "opentelemetry.exporter"),
        ("cloud.langfuse.com", "us.cloud.langfuse.com"),
        ("/api/public/otel/", "/api/public/ingestion"),
    ),
    Service("OpenTelemetry", ("opentelemetry.exporter",), ("localhost:4318", "127.0.0.1:4318"), _OTLP),
)
"""The services that we know: all that is let pass as telemetry."""
_BY_HOST = {host: service for service in SERVICES for host in service.hosts}


def service_of(address: str) -> Service | None:
    """The service that a request to this address reports to; None for every other address."""
    parts = urlsplit(address)
    service = _BY_HOST.get(parts.netloc.rpartition("@")[2].lower())
    return service if service is not None and parts.path.startswith(service.paths) else None


def is_in_use(modules: Iterable[str] = sys.modules) -> bool:
    """Whether anything that reports to one of the services has been imported."""
    present = set(modules)
    return any(present.intersection(service.packages) for service in SERVICES)
