"""A process that runs commands, and a provider that answers them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from harness.providers.simulated import running_provider
from tests.crash.teller import TELLER
from tests.project import MiniProject
from tests.warm import Warm, warm

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []
"""Nothing of this folder on Windows: what it kills are forked processes, at calls that POSIX has."""


@pytest.fixture(scope="package")
def harness() -> Warm:
    """A process that runs commands."""
    return warm()


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulated provider."""
    project = MiniProject(tmp_path_factory.mktemp("provider")).write(TELLER)
    with running_provider([project.root / "tell.script.yaml"]) as address:
        yield address
