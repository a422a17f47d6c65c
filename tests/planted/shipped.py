"""Copies of the shipped project, for a test to break."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.project import MiniProject

__all__ = ["ROOT", "copy_shipped", "outcomes"]

ROOT = Path(__file__).parents[2]

_COPIED = ("harness", "scenarios", "cassettes", "conftest.py", "pyproject.toml")


def copy_shipped(folder: Path) -> MiniProject:
    """A copy in an existing folder, the package included."""
    for name in _COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return MiniProject(folder)


def outcomes(project: MiniProject) -> dict[str, str]:
    """The outcome of each scenario in the last run."""
    return {case["scenario"]: case["outcome"] for case in project.results()["cases"]}
