"""What one invocation works with, and what it tells those who listen."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from harness.records.run import Run
from harness.records.scenario import Case
from harness.registry import REGISTRY, Registry
from harness.seams import Clock, Seams, mint_id
from harness.settings import Project

__all__ = ["Listener", "Mode", "Plan"]

Listener = Callable[[Run], None]
"""Hears of each case as it ends: a run of that one case."""


class Mode(StrEnum):
    """Where replies come from."""

    REPLAY = "replay"
    """From the recordings, judges included. Never the network."""
    LIVE = "live"
    """From the provider; nothing is kept."""
    RECORD = "record"
    """From the provider, and kept as the new recordings."""
    EXTEND = "extend"
    """From the recordings up to the first difference, then from the provider; kept beside the recordings."""
    REJUDGE = "rejudge"
    """The agent's from the recordings, the judges' from the provider, and kept."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A project, what its conftest declared, and how to run it."""

    project: Project
    mode: Mode = Mode.REPLAY
    concurrency: int = 1
    """How many cases are under way at once: in replay in as many processes, at most one for each processor."""
    registry: Registry = field(default_factory=lambda: REGISTRY)
    listen: Listener = lambda _run: None
    seed: int = 0
    in_real_time: bool = False
    """Whether the recorded times of a replay elapse on the wall, for those who watch."""

    def seams(self, case: Case, trial: int, clock: Clock) -> Seams:
        """The sources of time, identity and chance of one trial: they depend on its name and the seed alone."""
        run_id = mint_id(case.scenario.name, case.name, trial, self.seed)
        return Seams(run_id=run_id, clock=clock, random=random.Random(run_id))  # noqa: S311 - reproducible by design
