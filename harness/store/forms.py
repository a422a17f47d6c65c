"""Records as text: the same record gives the same bytes."""

from __future__ import annotations

import csv
import io

from harness.records.base import Record
from harness.records.json_text import indented
from harness.records.run import Run

__all__ = ["csv_text", "json_text"]


def json_text(record: Record) -> str:
    """A record as indented JSON, one line per value so that a review shows small differences."""
    return indented(record, 1, allow_nan=False) + "\n"


def csv_text(run: Run) -> str:
    """One row per trial, for a spreadsheet. A cell that a spreadsheet would run as a formula is quoted."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("scenario", "case", "trial", "outcome", "reason", "model_calls", "tokens", "cost_usd", "seconds"))
    for trial in run.trials:
        trace = trial.trace
        measures: tuple[object, ...] = ("", "", "", "")
        if trace is not None:
            cost = "" if trace.cost_usd is None else f"{trace.cost_usd:f}"
            seconds = f"{trace.duration / 1_000_000_000:.3f}"
            tokens = "" if trace.usage is None else trace.usage.total_tokens
            measures = (trace.model_requests, tokens, cost, seconds)
        writer.writerow((trial.scenario, trial.case, trial.trial, trial.outcome.value, _inert(trial.reason), *measures))
    return file.getvalue()


def _inert(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
