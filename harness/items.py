"""Scenario files as pytest collects them: one collector a file, one item a case."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness import pipeline
from harness.errors import BadInputError, Fault, HarnessError
from harness.loading import check_references, is_scenario_file, load_scenario
from harness.records.comparison import Change, Results
from harness.records.outcome import Outcome
from harness.records.scenario import Case
from harness.registry import REGISTRY
from harness.reporting import render_failure
from harness.settings import Project

__all__ = ["CaseItem", "ScenarioCollector", "collect_scenario", "scenario_mode"]


_MODES = {"none": pipeline.Mode.REPLAY, "rewrite": pipeline.Mode.RECORD}


class CaseFailedError(Exception):
    """A case did not pass; carries what a reader needs to know."""

    def __init__(self, results: Results) -> None:
        super().__init__(results.cases[0].reason)
        self.results = results


def collect_scenario(project: Project, file: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The collector of a scenario file; None for a file among them that is none."""
    if not is_scenario_file(project, file):
        return None
    collector: ScenarioCollector = ScenarioCollector.from_parent(parent, path=file)
    collector.project = project
    return collector


def scenario_mode(config: pytest.Config) -> pipeline.Mode:
    """What ``--record-mode`` means for scenarios, be it ours or pytest-recording's, or pytest-vcr's flag.

    Raises :class:`BadInputError` for a mode that makes no sense for them.
    """
    for flag in ("--record-mode", "--vcr-record"):
        given = config.getoption(flag, None)
        if given in _MODES:
            return _MODES[given]
        if given is not None:
            what = "is for tests of your own; for scenarios none replays and rewrite records"
            raise BadInputError(
                [Fault(f"{flag}={given}", 0, 0, f"{what}; harness run --mode extend adds to a recording")]
            )
    return pipeline.Mode.REPLAY


class ScenarioCollector(pytest.File):
    """One scenario file."""

    project: Project

    def collect(self) -> Iterable[pytest.Item]:
        """Its cases, tagged."""
        try:
            scenario = load_scenario(self.project, self.path)
            faults = check_references(self.project, [scenario], REGISTRY)
            if faults:
                raise BadInputError(faults)
        except HarnessError as error:
            raise self.CollectError(str(error)) from error
        case = pipeline.settle_trials(self.project, Case(scenario=scenario))
        item: CaseItem = CaseItem.from_parent(self, name=case.name)
        item.harness_case = case
        item.project = self.project
        item.extra_keyword_matches.update({case.id, *scenario.tags})
        for tag in scenario.tags:
            # registered first, so that a tag is selectable under --strict-markers without a line in the user's settings
            self.config.addinivalue_line("markers", f"{tag}: scenarios tagged {tag!r}")
            item.add_marker(tag)
        yield item


class CaseItem(pytest.Item):
    """One case of a scenario."""

    harness_case: Case
    project: Project
    harness_run: str | None = None
    """The case's results as JSON, once it has run."""

    def runtest(self) -> None:
        """Replay the case's trials, or record them anew, and hold them against the baseline."""
        run = pipeline.run_case(pipeline.Plan(self.project, mode=scenario_mode(self.config)), self.harness_case)
        self.harness_run = run.model_dump_json()
        outcome, reason = run.cases[0].outcome, run.cases[0].reason
        if outcome is Outcome.SKIPPED:
            pytest.skip(reason)
        if outcome is Outcome.XFAILED:
            pytest.xfail(reason)
        results = pipeline.compare_with_baseline(self.project, run, part=True)
        regressed = any(case.change is Change.REGRESSED for case in results.comparison.cases)
        if outcome is not Outcome.PASSED or regressed:
            raise CaseFailedError(results)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What failed, in the words of the report; a traceback only for what is no finding of ours."""
        if isinstance(excinfo.value, CaseFailedError):
            return render_failure(excinfo.value.results)
        if isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands, and what it is called in a summary."""
        return self.path, 0, self.harness_case.id
