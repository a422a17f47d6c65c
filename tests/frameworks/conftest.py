"""The environment with the agent frameworks, which is not our own: they want other versions of what we test with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.frameworks.pages import REQUIREMENTS

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
