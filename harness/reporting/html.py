"""The report: one HTML file that opens from disk, needs no network and runs nothing that it shows.

The lists stand in the page as inert JSON. What is seen of a trial only after opening it stands in compressed blocks,
decoded one at a time: with it in plain sight a page of 10,000 trials is fifteen times as large and slow to start.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from pydantic import TypeAdapter

from harness.records.comparison import Results
from harness.records.run import RunFacts
from harness.reporting.detail import TrialDetail, build_details
from harness.reporting.standing import Standing, list_entries
from harness.reporting.view import PageView, build_view

__all__ = ["render_html"]

_LEVEL = 3
"""Of zlib: a third of the time of its default, for a twentieth more to load."""
_BLOCK_SIZE = 200_000
"""Bytes of JSON after which a block is closed: it bounds what opening a trial has to decode."""

_DETAIL = TypeAdapter(TrialDetail)

_ICON_COLOURS = {"bad": "#c8261d", "warn": "#b26a00", "good": "#1a7f37", "muted": "#6b7280"}


def render_html(results: Results, facts: RunFacts | None) -> str:
    """The report of a run. The same results and facts give the same text."""
    view = build_view(results, facts)
    blocks, starts = _pack(build_details(list_entries(results)))
    style, script = _asset("report.css"), _asset("trial.js") + _asset("report.js")
    text = (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            style=Markup(style),  # noqa: S704 (our own file)
            script=Markup(script),  # noqa: S704 (our own file)
            policy=_policy(style, script),
            icon=_icon(view.tone),
            index=Markup(_index(view, starts)),  # noqa: S704 (escaped there)
            blocks=blocks,
        )
    )
    return text.encode(errors="replace").decode()


def _policy(style: str, script: str) -> str:
    """Nothing may load or run but this one style and this one script."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _icon(tone: str) -> str:
    """A dot in the verdict's colour, so that a tab tells."""
    dot = f"<circle cx='8' cy='8' r='7' fill='{_ICON_COLOURS[tone]}'/>"
    image = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{dot}</svg>"
    return f"data:image/svg+xml,{quote(image)}"


def _index(view: PageView, starts: list[int]) -> str:
    """The lists as JSON that can stand inside a script element: no ``<`` is left to end it."""
    standings = {one.value: {"word": one.word, "mark": one.mark, "tone": one.tone} for one in Standing}
    index = {
        "standings": standings,
        "rows": [row.model_dump(mode="json", exclude_defaults=True) for row in view.rows],
        "blocks": starts,
    }
    return json.dumps(index, separators=(",", ":")).replace("<", "\\u003c")


def _pack(details: Iterable[TrialDetail]) -> tuple[list[str], list[int]]:
    """The compressed blocks as base64, and the number of the first trial in each."""
    blocks, starts = [], []
    for start, block in _cut(details):
        starts.append(start)
        blocks.append(base64.b64encode(zlib.compress(b"[" + b",".join(block) + b"]", _LEVEL)).decode())
    return blocks, starts


def _cut(details: Iterable[TrialDetail]) -> Iterator[tuple[int, list[bytes]]]:
    start, size, block = 0, 0, list[bytes]()
    for number, detail in enumerate(details):
        if size > _BLOCK_SIZE:
            yield start, block
            start, size, block = number, 0, []
        block.append(_DETAIL.dump_json(detail, exclude_defaults=True))
        size += len(block[-1])
    if block:
        yield start, block


@cache
def _environment() -> Environment:
    """Kept, because it keeps what it compiled: that takes longer than to render a hundred trials."""
    return Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _asset(name: str) -> str:
    return files("harness.reporting").joinpath("page", name).read_text(encoding="utf-8")
