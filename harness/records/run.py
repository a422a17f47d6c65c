"""The results of one invocation: what code, inputs and seed determine, and the wall facts apart."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from pydantic import Field, model_validator

from harness.records.base import SCHEMA_VERSION, Name, Record, SchemaVersion
from harness.records.mismatch import Mismatch
from harness.records.outcome import Outcome
from harness.records.score import Score
from harness.records.trace import Trace

__all__ = ["CaseResult", "Run", "RunFacts", "Trial"]


class Trial(Record):
    """One run of one case."""

    scenario: str
    case: Name
    trial: int
    """From 1."""
    outcome: Outcome
    reason: str
    """One line: why the outcome is what it is; empty for a plain pass."""
    scores: tuple[Score, ...] = ()
    mismatch: Mismatch | None = None
    """The first difference from the recording, where there is one."""
    trace: Trace | None = None
    """None where the agent never ran."""
    pending: dict[str, str] = Field(default={}, exclude_if=operator.not_)
    """Recordings that wait beside the accepted ones and that this trial was scored on: file name and digest."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies a trial across runs."""
        return (self.scenario, self.case, self.trial)


class CaseResult(Record):
    """One case with all its trials: the unit that passes or fails, and a pytest item."""

    scenario: str
    case: Name
    source: str
    """The scenario file, relative to the project, with forward slashes."""
    description: str = ""
    tags: tuple[str, ...] = ()
    outcome: Outcome
    reason: str
    """One line; empty for a plain pass."""
    passed: int
    """Trials that passed."""
    required: int
    """Trials that have to pass."""
    trials: int
    """Trials that the scenario asks for."""
    command: str | None = None
    """The exact command that mends a stale, unrecorded or unjudged case."""
    texts: dict[str, str] = {}
    """Digests of what the author wrote (``input``, ``world``, ``rubric``)."""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies a case across runs."""
        return (self.scenario, self.case)


class Run(Record):
    """Cases and their trials, sorted by scenario, case and trial. A baseline is one as well."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    cases: tuple[CaseResult, ...]
    trials: tuple[Trial, ...]

    @model_validator(mode="after")
    def _belongs_together(self) -> Run:
        known = {case.key for case in self.cases}
        for trial in self.trials:
            if (trial.scenario, trial.case) not in known:
                raise ValueError(f"trial {trial.trial} of {trial.scenario} belongs to no case")
        return self

    @classmethod
    def merge(cls, runs: Iterable[Run]) -> Run:
        """One run that holds the cases and trials of several, in the order in which runs are written."""
        parts = tuple(runs)
        return cls(
            cases=tuple(sorted((case for run in parts for case in run.cases), key=lambda case: case.key)),
            trials=tuple(sorted((trial for run in parts for trial in run.trials), key=lambda trial: trial.key)),
        )

    def by_case(self) -> dict[tuple[str, str], Run]:
        """The same run, cut into one of a single case each; keyed by scenario and case."""
        trials: dict[tuple[str, str], list[Trial]] = {case.key: [] for case in self.cases}
        for trial in self.trials:
            trials[trial.scenario, trial.case].append(trial)
        return {case.key: Run(cases=(case,), trials=tuple(trials[case.key])) for case in self.cases}


class RunFacts(Record):
    """The wall facts of one invocation (``run.json``): they may differ from run to run."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    harness_version: str
    python_version: str
    platform: str
    host: str
    argv: tuple[str, ...]
    mode: str
    concurrency: int
    started_at: str
    """RFC 3339, UTC."""
    seconds: float
    """Wall time."""
