"""Copies of the shipped project, for a test to break."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.project import MiniProject

__all__ = ["ROOT", "copy_shipped", "outcomes"]

ROOT = Path(__file__).parents[2]

_COPIED = ("scenarios", "cassettes", "conftest.py", "pyproject.toml")


def copy_shipped(folder: Path, edits: Iterable[tuple[str, str, str]] = ()) -> MiniProject:
    """A copy in an existing folder, edited; the package is in it where one of the edits is in the package."""
    edits = tuple(edits)
    package = ["harness"] if any(file.startswith("harness/") for file, *_ in edits) else []
    for name in (*_COPIED, *package):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    project = MiniProject(folder)
    for edit in edits:
        project.edit(*edit)
    return project


def outcomes(project: MiniProject) -> dict[str, str]:
    """The outcome of each scenario in the last run."""
    return {case["scenario"]: case["outcome"] for case in project.results()["cases"]}
