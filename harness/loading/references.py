"""Holds the names that scenarios use against what the project has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.errors import BadInputError, Fault, RegistryError
from harness.loading.texts import read_rubric
from harness.records.scenario import Judged, Scenario, Validated
from harness.registry import Command, Endpoint, Registry, Subject
from harness.settings import Project
from harness.strictyaml import Node, Place, read_file
from harness.subjects.mocking import find_mock_faults
from harness.subjects.replacing import check_replacements
from harness.subjects.task import World

__all__ = ["check_references"]

_Path = tuple[str | int, ...]


def check_references(project: Project, scenarios: Iterable[Scenario], registry: Registry) -> tuple[Fault, ...]:
    """All that a scenario names and the project lacks, at its place.

    That is: subject, tools, what is mocked of them, validator, rubric, judging model.
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
        subject = registry.find_subject(scenario.subject)
        check_replacements(subject)
        world = World({}, subject.tools, replace=subject.replace)
    except RegistryError as error:
        yield ("subject",), str(error)
    else:
        yield from _find_lacks_of_mocks(scenario, subject, world)
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


def _find_lacks_of_mocks(scenario: Scenario, subject: Subject, world: World) -> Iterator[tuple[_Path, str]]:
    if scenario.mocks and isinstance(subject.agent, Command | Endpoint):
        what = (
            f"subject {subject.name!r} is a program, whose tools run in it, where they can't be mocked; remove `mocks`"
        )
        yield ("mocks",), what
        return
    if scenario.mocks and not world.mockable:
        hint = "name them in `tools=` or `replace=` where it is registered"
        yield ("mocks",), f"subject {scenario.subject!r} has no tools to mock; {hint}"
        return
    for path, what in find_mock_faults(world.mockable, scenario.mocks):
        yield ("mocks", *path), what


def _find(root: Node | None, path: _Path) -> Place:
    """The place of a value; of a mock's, that of its key."""
    place: Place = (0, 0)
    node = root
    for part in path:
        if node is not None and part in node.parts:  # a mock that stands alone has no number in the file
            place = node.keys[part] if path[0] == "mocks" and isinstance(part, str) else node.parts[part].place
            node = node.parts[part]
    return place
