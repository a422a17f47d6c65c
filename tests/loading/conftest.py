"""A project on disk, to fill with files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.settings import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with an empty scenarios folder."""
    (tmp_path / "scenarios").mkdir()
    return Project(
        root=tmp_path,
        scenarios=tmp_path / "scenarios",
        cassettes=tmp_path / "cassettes",
        reports=tmp_path / "reports",
    )
