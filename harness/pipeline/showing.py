"""A cassette or a results file, read as a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.cassettes import load_cassette
from harness.settings import Project
from harness.store import read_results
from harness.wire.trace import read_events

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
    events = read_events([(exchange, 0) for exchange in cassette.exchanges], (), project.prices, at=cassette.began)
    yield f"{title}\n\n{render_conversation(events)}"
