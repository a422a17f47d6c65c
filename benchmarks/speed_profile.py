"""Where the processor's time of a replayed sample goes, by who spends it; docs/performance.md has the outcome.

    python benchmarks/speed_profile.py [desk|reference] [--lines]

Replays the samples of ``benchmarks/workload.py`` with trace, scores and report, and looks every millisecond of the
process's own time at what runs. A look counts for the innermost code that is the SDK's, its HTTP client's or ours, so
that the standard library, Pydantic and whatever is written in C count for whoever called them. ``--lines`` names the
functions of ours in which most of the time is spent, what they call included.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parents[1]))

import speed
import workload

import harness
from harness import pipeline
from harness.settings import placehold_keys

PERIOD = 0.001
"""Seconds between two looks."""
OURS = Path(harness.__file__).parent
PACKAGES = {"openai": "the SDK", "httpx2": "the SDK's HTTP client", "httpcore2": "the SDK's HTTP client"}


class Looks:
    """What was seen."""

    def __init__(self) -> None:
        self.total = 0
        self.owners: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()

    def take(self, _signal: int, frame: FrameType | None) -> None:
        """Note what runs now."""
        self.total += 1
        owner, seen = None, set()
        while frame is not None:
            file = frame.f_code.co_filename
            owner = owner or owner_of(file)
            if file.startswith(str(OURS)):
                seen.add(f"{Path(file).relative_to(OURS)}: {frame.f_code.co_qualname}")
            frame = frame.f_back
        self.owners[owner or "the benchmark"] += 1
        self.functions.update(seen)


def owner_of(file: str) -> str | None:
    """Who a file belongs to: a room of ours, the SDK, the agent; None for what counts for its caller."""
    path = Path(file)
    if path.is_relative_to(OURS):
        return "harness/" + path.relative_to(OURS).parts[0]
    if path.name == workload.AGENT.name:
        return "the agent"
    return next((name for part, name in PACKAGES.items() if f"site-packages/{part}/" in file), None)


def main() -> None:
    """Replay, look and print."""
    parser = argparse.ArgumentParser(description="Where the processor's time of a replayed sample goes.")
    parser.add_argument("subject", nargs="?", choices=("desk", "reference"), default="desk")
    parser.add_argument("--lines", action="store_true")
    arguments = parser.parse_args()
    looks = Looks()
    with tempfile.TemporaryDirectory() as folder:
        root = workload.make_project(Path(folder) / "project", speed.SAMPLES, (arguments.subject,))
        os.chdir(root)
        placehold_keys()
        project = pipeline.open_project([root])
        block = speed.whole_block(project, pipeline.gather_cases(project))
        block()  # warms up
        signal.signal(signal.SIGPROF, looks.take)
        signal.setitimer(signal.ITIMER_PROF, PERIOD, PERIOD)
        for _ in range(5):
            block()
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.chdir("/")
    for name, count in looks.owners.most_common():
        print(f"{count / looks.total:6.1%}  {name}")
    if arguments.lines:
        print()
        for name, count in looks.functions.most_common(100):
            print(f"{count / looks.total:6.1%}  {name}")


if __name__ == "__main__":
    main()
