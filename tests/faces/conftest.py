"""A user's project with its recording, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider
from tests.project import DESK, MiniProject


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The desk, recorded from a simulated provider and accepted."""
    project = MiniProject(tmp_path_factory.mktemp("desk")).write(DESK)
    with running_provider([project.root / "status.script.yaml"]) as url:
        done = project.record(url)
    assert done.code == 0, done.text
    assert project.harness("run").code == 0
    assert project.harness("accept", "--yes").code == 0
    shutil.rmtree(project.root / "reports")
    return project.root


@pytest.fixture
def desk(recorded: Path, tmp_path: Path) -> MiniProject:
    """A copy of the recorded desk that a test may break."""
    return MiniProject(Path(shutil.copytree(recorded, tmp_path / "desk")))
