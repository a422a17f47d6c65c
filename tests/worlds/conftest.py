"""What the tests of the shipped worlds share: the scripted provider that the scenarios are recorded from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider

ROOT = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def scripted_provider() -> Iterator[None]:
    """The SDKs speak to a simulated provider that serves all shipped scripts, as they do while recording."""
    with running_provider([ROOT]) as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_BASE_URL", f"{url}/v1")
        environment.setenv("ANTHROPIC_BASE_URL", url)
        environment.setenv("OPENAI_API_KEY", "simulated")
        environment.setenv("ANTHROPIC_API_KEY", "simulated")
        yield
