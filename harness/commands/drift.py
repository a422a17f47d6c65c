"""``harness drift``: how today's requests differ from the recorded ones."""

from __future__ import annotations

import argparse
import json
import logging
from datetime import UTC, datetime

from harness.commands.console import Commands, Progress, add_command, add_selection, print_lines, say
from harness.errors import ExitCode

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare it."""
    drift = add_command(
        commands, "drift", _drift, "replay everything and say what differs from the recordings, and why"
    )
    add_selection(drift)
    drift.add_argument("--json", action="store_true", help="a list of findings, for programs")


def _drift(arguments: argparse.Namespace) -> ExitCode:
    from harness import pipeline
    from harness.reporting import render_drift
    from harness.settings import placehold_keys

    logging.getLogger("harness").addHandler(logging.NullHandler())  # a replayed retry is no news
    placehold_keys()
    project = pipeline.open_project(arguments.paths)
    with pipeline.go_offline(project):
        cases = pipeline.gather_cases(project, arguments.paths, keyword=arguments.keyword, tag=arguments.tag)
        progress = Progress(len(cases))
        plan = pipeline.Plan(project, listen=progress.hear)
        try:
            drift = pipeline.find_drift(plan, cases, today=datetime.now(UTC).date())
        finally:
            progress.clear()
    if arguments.json:
        findings = [found.model_dump(mode="json", by_alias=True) for found in drift.findings]
        say(json.dumps(findings, indent=1))
    else:
        print_lines(render_drift(drift))
    return drift.exit_code
