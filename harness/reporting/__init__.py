"""Renders results for people and for CI: pure functions from records to text."""

from __future__ import annotations

from harness.reporting.conversation import render_conversation
from harness.reporting.drift import render_drift, render_leftovers
from harness.reporting.failure import describe_mismatch, render_failure
from harness.reporting.html import render_html
from harness.reporting.junit import render_junit
from harness.reporting.lines import Line, Style, render_lines, render_recorded
from harness.reporting.markdown import render_markdown

__all__ = [
    "Line",
    "Style",
    "describe_mismatch",
    "render_conversation",
    "render_drift",
    "render_failure",
    "render_html",
    "render_junit",
    "render_leftovers",
    "render_lines",
    "render_markdown",
    "render_recorded",
]
