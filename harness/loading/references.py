"""Holds the names that scenarios use against what the project has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.errors import BadInputError, Fault, RegistryError
from harness.loading.texts import read_rubric
from harness.records.scenario import Judged, Scenario, Validated
from harness.registry import Registry
from harness.settings import Project
from harness.strictyaml import Node, Place, read_file
from harness.subjects.task import World

__all__ = ["check_references"]

_Path = tuple[str | int, ...]


def check_references(project: Project, scenarios: Iterable[Scenario], registry: Registry) -> tuple[Fault, ...]:
    """All that a scenario names and the project lacks: subject, tools, validator, rubric, judging model; at its place.

    Raises :class:`BadInputError` where a file can't be read any more.
    """
    return tuple(fault for scenario in scenarios for fault in _check(project, scenario, registry))


def _check(project: Project, scenario: Scenario, registry: Registry) -> Iterator[Fault]:
    lacks = list(_find_lacks(project, scenario, registry))
    if not lacks:
        return
    # places are not kept: the file is read again for the few that need them
    root = read_file(project.root / scenario.source, scenario.source).root
    for path, what in lacks:
        yield Fault(scenario.source, *_find(root, path), what)


def _find_lacks(project: Project, scenario: Scenario, registry: Registry) -> Iterator[tuple[_Path, str]]:
    try:
        World({}, registry.find_subject(scenario.subject).tools)
    except RegistryError as error:
        yield ("subject",), str(error)
    for number, item in enumerate(scenario.expect):
        if isinstance(item, Validated):
            try:
                registry.find_validator(item.validator)
            except RegistryError as error:
                yield ("expect", number, "validator"), str(error)
        elif isinstance(item, Judged):
            try:
                read_rubric(project, scenario, item.judge.rubric)
            except BadInputError as error:
                yield ("expect", number, "judge", "rubric"), str(error)
            if item.judge.model is None and project.judge_model is None:
                what = "a judge needs a model; write `model:` here, or `judge_model` in [tool.harness]"
                yield ("expect", number, "judge"), what


def _find(node: Node | None, path: _Path) -> Place:
    for part in path:
        node = node.parts.get(part) if node is not None else None
    return node.place if node is not None else (0, 0)
