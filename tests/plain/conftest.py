"""A user's project with tests of their own, and a server that counts what reaches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cassettes.conftest import server
from tests.project import MiniProject

__all__ = ["server"]

QUIET = "[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = 'function'\n"


@pytest.fixture
def project(tmp_path: Path) -> MiniProject:
    """An empty project that never heard of us."""
    return MiniProject(tmp_path).write({"pyproject.toml": QUIET})
