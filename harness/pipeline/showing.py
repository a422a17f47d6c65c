"""A cassette or a results file, read as a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.cassettes import load_cassette
from harness.errors import ProviderError
from harness.records.exchange import Exchange, HttpRequest, HttpResponse
from harness.records.json_text import indented, read_json
from harness.records.trace import HttpCall
from harness.settings import Project
from harness.store import read_results
from harness.wire.media import without_media
from harness.wire.shapes import compact
from harness.wire.sse import is_event_stream, read_sse
from harness.wire.trace import in_order, read_events

__all__ = ["show_file"]


def show_file(project: Project, file: Path) -> Iterator[str]:
    """The text of each conversation in the file."""
    from harness.reporting import render_conversation  # late: most commands show none

    if file.suffix == ".json":
        for trial in read_results(file).trials:
            title = f"{trial.scenario} · {trial.case} · trial {trial.trial} · {trial.outcome}"
            yield f"{title}\n\n{render_conversation(trial.trace.events if trial.trace else ())}"
        return
    cassette = load_cassette(file)
    metadata = cassette.metadata
    title = f"{file.name}\nimported from {cassette.imported_from}" if cassette.imported_from else file.name
    if metadata is not None:
        judge = f" · judge {metadata.judge}" if metadata.judge else ""
        title = f"{metadata.scenario} · {metadata.case} · trial {metadata.trial}{judge}"
        title += f"\nrecorded {metadata.recorded_at}, {metadata.recorded_from}"
    played = in_order((exchange, 0) for exchange in cassette.exchanges)
    events = read_events(played, (), project.prices, at=cassette.began)
    other = {event.turn for event in events if isinstance(event, HttpCall) and not event.redirected_to}
    bodies = {number: _bodies(exchange) for number, (exchange, _) in enumerate(played, 1) if number in other}
    yield f"{title}\n\n{render_conversation(events, bodies=bodies)}"


def _bodies(exchange: Exchange) -> str:
    """What an exchange sent and received, for a call that is not read as a conversation."""
    both = ("sent", exchange.request), ("received", exchange.response)
    return "\n".join(f"{word}: {shown}" for word, message in both if (shown := _readable(message)))


def _readable(message: HttpRequest | HttpResponse) -> str:
    """A body as a reader can take it: JSON indented, without what is inside images and files."""
    body, kind = message.body, dict(message.headers).get("content-type", "")
    try:
        if is_event_stream(kind, body):
            return "\n".join(compact(without_media(event)) for event in read_sse(body))
        return indented(without_media(read_json(body)), 2)
    except (ValueError, RecursionError, ProviderError):
        pass
    text = body.decode(errors="replace")
    is_text = "\0" not in text and "\ufffd" not in text
    return text if is_text else f"{kind or 'a body that is no text'}, {len(body):,} bytes"
