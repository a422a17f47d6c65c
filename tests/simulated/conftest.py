"""A provider per test, answering from the script that the test writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.providers.simulated import running_provider

Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Serve the given scripts until the test ends; gives the URL."""
    with ExitStack() as stack:

        def begin(*scripts: str, seed: int = 0) -> str:
            for number, script in enumerate(scripts):
                (tmp_path / f"{number}.script.yaml").write_text(script, encoding="utf-8")
            return stack.enter_context(running_provider([tmp_path], seed=seed))

        yield begin
