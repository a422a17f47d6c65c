"""The pytest plugin: scenario files become items, their results become the same report as ``harness run`` writes.

It lives in every pytest session of its environment, so it imports nothing heavy until a scenario file is collected, and
patches nothing until there is an item to run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.registry import REGISTRY
from harness.settings import Project, find_root, load_project, placehold_keys

if TYPE_CHECKING:
    from harness.records.comparison import Results

__all__: list[str] = []

_PEERS = (
    ("recording", "pytest_recording", "pytest_recording.plugin"),
    ("vcr", "pytest_vcr", "pytest_vcr"),
    ("cassetter", "cassetter", "cassetter.pytest_plugin"),
)
"""Plugins whose options, fixtures and markers ours would repeat: entry point, package, module."""
_SUFFIXES = (".yaml", ".yml")
_PLACEHELD = pytest.StashKey[tuple[str, ...]]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare where the report goes; and bring the fixture and marker ``vcr``, unless another plugin has them."""
    group = parser.getgroup("harness", "agent regression scenarios")
    group.addoption("--harness-out", metavar="DIR", help="folder of the scenario report (default: reports/latest)")
    parser.addini("harness_out", "folder of the scenario report")
    if not any(_is_there(pluginmanager, *names) for names in _PEERS):
        pluginmanager.register(import_module("harness.plain.fixtures"), "harness-plain")


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before a conftest builds an SDK client: in replay a missing key must not stop it."""
    project = _find_project(early_config)
    records = getattr(early_config.known_args_namespace, "record_mode", None) == "rewrite"
    if project.scenarios.is_dir() and not records:
        early_config.stash[_PLACEHELD] = placehold_keys()


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session of ours beside pytest's own."""
    config.pluginmanager.register(_Scenarios(config), "harness-scenarios")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take back what was set for replay."""
    _take_back_keys(config)


class _Scenarios:
    """The scenarios of one pytest session: collected, run, gathered from worker processes, reported."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._project = _find_project(config)
        self._started = datetime.now(UTC)
        self._began = time.perf_counter()
        self._interception = ExitStack()
        self._intercepts = False
        self._runs: dict[str, str] = {}
        """Node id to the run of that one case, as JSON; a rerun replaces the first."""
        self._results: Results | None = None
        self._orphans: tuple[str, ...] = ()
        """Recordings that no scenario asks for, a line each."""
        self._interrupted = 0
        """How many recordings were interrupted."""
        self._report: Path | None = None
        self._unwritten: str | None = None
        """Why there is no report, where there should be one."""
        self._met = False
        """Whether a scenario was selected, or is at fault."""

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """A scenario file of ours becomes a collector; every other file is left alone."""
        project = self._project
        if file_path.suffix not in _SUFFIXES or not file_path.is_relative_to(project.scenarios):
            return None
        if not _is_used(project):
            return None
        from harness.items import collect_scenario

        return collect_scenario(project, file_path, parent)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A scenario file at fault has said so itself."""
        self._met = self._met or (report.failed and report.nodeid.endswith(_SUFFIXES))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note whether there is anything to do; where we are not used at all, leave no trace."""
        self._met = self._met or any(hasattr(item, "harness_case") for item in session.items)
        if not _is_used(self._project):
            _take_back_keys(self._config)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Put interception in the path while scenarios run, and out of it before anything else does."""
        if hasattr(item, "harness_case") and not self._intercepts:
            from harness.cassettes import intercepted

            self._interception.enter_context(intercepted())
            self._intercepts = True
        try:
            return (yield)
        finally:
            if not hasattr(nextitem, "harness_case"):
                self._interception.close()
                self._intercepts = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let an item's results travel with its report, from a worker process too."""
        report = yield
        run = getattr(item, "harness_run", None)
        if call.when == "call" and run is not None:
            report.harness_run = run  # type: ignore[attr-defined]  # a report may carry further attributes
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the results: here, or under xdist in the controlling process."""
        run = getattr(report, "harness_run", None)
        if run is not None:
            self._runs[report.nodeid] = run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report where the whole session is known."""
        self._interception.close()  # still open where the session was interrupted
        if not self._runs or hasattr(self._config, "workerinput"):
            return
        try:
            self._write(self._project)
        except (HarnessError, OSError) as error:
            self._unwritten = str(error)
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def _write(self, project: Project) -> None:
        from harness import pipeline
        from harness.items import scenario_mode
        from harness.records.run import Run

        run = Run.merge(map(Run.model_validate_json, self._runs.values()))
        self._results = pipeline.compare_with_baseline(project, run)
        self._orphans = tuple(found.cause for found in pipeline.find_orphans(project, run))
        self._interrupted = len(pipeline.interrupted(project))
        facts = pipeline.collect_facts(
            argv=sys.argv[1:],
            mode=scenario_mode(self._config),
            concurrency=int(getattr(self._config.option, "numprocesses", None) or 1),
            started_at=self._started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self._began,
        )
        self._report = pipeline.write_report(self._out(project), self._results, facts)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """End with the commands that mend what is stale, and the report's path; or say that no scenario ran."""
        if self._report is not None and self._results is not None:
            terminalreporter.section("scenarios")
            for command in dict.fromkeys(case.command for case in self._results.cases if case.command):
                terminalreporter.line(f"to record anew: {command}")
            for orphan in self._orphans:
                terminalreporter.line(f"orphan: {orphan}")
            if self._interrupted:
                terminalreporter.line(f"interrupted recordings: {self._interrupted}; harness recover")
            terminalreporter.line(f"report: {self._report}")
        elif self._unwritten is not None:
            terminalreporter.section("scenarios")
            terminalreporter.line(f"no report was written: {self._unwritten}; --harness-out names another folder")
        elif not self._met and _is_used(self._project):
            count = sum(1 for _ in _scenario_files(self._project))
            folder = os.path.relpath(self._project.scenarios, self._config.invocation_params.dir)
            what = f"{count} scenario {'file' if count == 1 else 'files'} in {folder} not selected: pytest {folder}"
            terminalreporter.line(f"harness: {what if count else f'there is no scenario file in {folder}'}")

    def _out(self, project: Project) -> Path:
        option = self._config.getoption("--harness-out")
        if option:
            return self._config.invocation_params.dir / str(option)
        ini = self._config.getini("harness_out")
        return self._config.rootpath / str(ini) if ini else project.reports / "latest"


def _find_project(config: pytest.Config) -> Project:
    """The project of the paths that were asked for; pytest's own root may be that of a repository around it."""
    here = config.invocation_params.dir
    asked = [here / str(name).partition("::")[0] for name in config.known_args_namespace.file_or_dir]
    try:
        nearest = load_project(find_root(Path(os.path.commonpath(asked)) if asked else here))
        return nearest if nearest.declared else load_project(find_root(config.rootpath))
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error


def _is_there(manager: pytest.PytestPluginManager, entry: str, package: str, module: str) -> bool:
    """Whether a plugin of the environment is in this session, or will be: either of us may come first."""
    if manager.has_plugin(entry) or manager.has_plugin(module):
        return True
    return not manager.is_blocked(entry) and not manager.is_blocked(module) and find_spec(package) is not None


def _take_back_keys(config: pytest.Config) -> None:
    for name in config.stash.get(_PLACEHELD, ()):
        os.environ.pop(name, None)


def _is_used(project: Project) -> bool:
    """Whether the project is a user of ours: it says so in its settings, or declares a subject."""
    return project.declared or bool(REGISTRY.subjects)


def _scenario_files(project: Project) -> Generator[Path, None, None]:
    for file in project.scenarios.rglob("*"):
        if file.suffix in _SUFFIXES and not file.stem.endswith(".script"):
            yield file
