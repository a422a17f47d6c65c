"""One scenario file to one record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import BadInputError, Fault
from harness.loading.explaining import check_content
from harness.loading.files import check_path, find_files, scenario_name, shown
from harness.records.scenario import Scenario
from harness.settings import Project
from harness.strictyaml import read_file

__all__ = ["load_scenario", "load_scenarios"]


def load_scenarios(project: Project, paths: Sequence[Path] = ()) -> tuple[Scenario, ...]:
    """The scenarios at or below the paths, sorted by name; all of the project without any.

    Raises :class:`BadInputError` with every fault of every file.
    """
    scenarios: list[Scenario] = []
    faults: list[Fault] = []
    for file in find_files(project, paths):
        try:
            scenarios.append(load_scenario(project, file))
        except BadInputError as error:
            faults.extend(error.faults)
    if faults:
        raise BadInputError(dict.fromkeys(faults))
    return tuple(scenarios)


def load_scenario(project: Project, file: Path) -> Scenario:
    """One scenario. Raises :class:`BadInputError` with every fault of the file."""
    source = shown(project, file)
    faults = list(check_path(project, file))
    if faults:
        raise BadInputError(faults)
    document = read_file(file, source)
    faults = [Fault(source, *place, what) for place, what in document.faults.items()]
    if document.root is not None:
        content = check_content(document.root, known=document.faults)
        faults += [Fault(source, *place, what) for place, what in content]
    if faults or document.root is None:
        raise BadInputError(faults)
    data = document.root.value
    assert isinstance(data, dict)
    # checked without a name first, because a file must not name itself
    return Scenario.model_validate({**data, "name": scenario_name(project, file), "source": source})
