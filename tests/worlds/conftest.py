"""What the tests of the shipped worlds share: a world with a desk's tools bound, and the shipped scenario files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from harness.providers.simulated import running_provider

ROOT = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="session")
def scripted_provider() -> Iterator[None]:
    """The SDKs speak to a simulated provider that serves all shipped scripts, as they do while recording."""
    with running_provider([ROOT]) as url:
        told = {
            "OPENAI_BASE_URL": f"{url}/v1",
            "ANTHROPIC_BASE_URL": url,
            "OPENAI_API_KEY": "simulated",
            "ANTHROPIC_API_KEY": "simulated",
        }
        with patch.dict(os.environ, told):
            yield
