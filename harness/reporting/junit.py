"""JUnit XML: one test case per case, for the readers that CI systems ship."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from harness.records.comparison import Results
from harness.records.run import Trial
from harness.reporting.standing import Entry, Standing, list_entries
from harness.reporting.wording import one_line

__all__ = ["render_junit"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold even as a reference (section 2.2, Char)."""

_ELEMENTS = {
    Standing.REGRESSED: "failure",
    Standing.FAILED: "failure",
    Standing.STALE: "failure",
    Standing.UNRECORDED: "failure",
    Standing.NOT_JUDGED: "failure",
    Standing.FLAKY: "failure",
    Standing.ERRORED: "error",
    Standing.SKIPPED: "skipped",
    Standing.XFAILED: "skipped",
    Standing.REMOVED: "skipped",
}
"""Passed, improved and inconclusive have no child: nothing was shown to be wrong."""


def render_junit(results: Results) -> str:
    """The run as JUnit XML. Times are the recorded ones, in seconds; absent where nothing was recorded.

    ``classname`` and ``name`` together are unique and stay the same from run to run. Trials stand inside the text.
    """
    entries = sorted(list_entries(results), key=lambda entry: (entry.scenario, entry.case))
    kinds = [_ELEMENTS.get(entry.standing) for entry in entries]
    totals = {
        "tests": str(len(entries)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        **_time([trial for entry in entries for trial in entry.trials]),
    }
    root = ET.Element("testsuites", {"name": "harness", **totals})
    suite = ET.SubElement(root, "testsuite", {"name": "scenarios", **totals})
    for entry in entries:
        _add_case(suite, entry)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add_case(suite: ET.Element, entry: Entry) -> None:
    attributes = {"classname": entry.scenario.replace("/", "."), "name": entry.id}
    if entry.result:
        attributes["file"] = entry.result.source
    attributes |= _time(entry.trials)
    case = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in attributes.items()})
    kind = _ELEMENTS.get(entry.standing)
    if kind is None:
        return
    headline = ": ".join(part for part in (entry.standing.word, one_line(entry.reason)) if part)
    child = ET.SubElement(case, kind, {"type": entry.standing.value, "message": _clean(headline)})
    child.text = _clean("\n".join([headline, *_lines(entry)]))


def _lines(entry: Entry) -> list[str]:
    lines = [entry.transition] if entry.transition else []
    if entry.result and entry.result.command and entry.standing is not Standing.REMOVED:
        lines.append(f"run: {entry.result.command}")
    for trial in entry.trials:
        word = Standing(trial.outcome.value).word
        lines.append(": ".join(part for part in (f"trial {trial.trial} {word}", one_line(trial.reason)) if part))
        if trial.mismatch is not None and trial.mismatch.other_reading:
            lines.append(f"or: {one_line(trial.mismatch.other_reading)}")
    return lines


def _time(trials: Sequence[Trial]) -> dict[str, str]:
    traces = [trial.trace for trial in trials if trial.trace is not None]
    if not traces:
        return {}
    seconds, rest = divmod(sum(trace.duration for trace in traces), 1_000_000_000)
    return {"time": f"{seconds}.{rest // 1_000_000:03d}"}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
