"""The environment with the agent frameworks, which is not our own: they want other versions of what we test with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.frameworks.pages import REQUIREMENTS, record, replay
from tests.project import MiniProject

FOLDER = os.environ.get("HARNESS_FRAMEWORKS")
ADVICE = (
    "HARNESS_FRAMEWORKS names no environment; make one: python3 -m venv FOLDER && FOLDER/bin/pip install -e . -r "
    f"tests/frameworks/{REQUIREMENTS.name}"
)


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter of the environment that holds every framework. CI must have it."""
    if FOLDER is None:
        if os.environ.get("CI"):
            pytest.fail(ADVICE)
        pytest.skip(ADVICE)
    return str(Path(FOLDER, "bin/python"))


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest, python: str, tmp_path_factory: pytest.TempPathFactory) -> MiniProject:
    """The project of the page that the module is named after, recorded and replayed once."""
    page = request.path.stem.removeprefix("test_").replace("_", "-")
    project = MiniProject(tmp_path_factory.mktemp(page), python)
    record(project, page, request.module.SCRIPTS, request.module.TOLD)
    replay(project, "first")
    return project


@pytest.fixture
def desk(recorded: MiniProject, tmp_path: Path) -> MiniProject:
    """A copy that a test may break."""
    return MiniProject(Path(shutil.copytree(recorded.root, tmp_path / "desk")), recorded.python)
