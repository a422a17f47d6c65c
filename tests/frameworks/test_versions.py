"""What the pages say was tested is what is tested."""

from __future__ import annotations

import re
import subprocess

from tests.docs.test_documents import ROOT, rows
from tests.frameworks.pages import pinned


def test_the_table_names_the_pins() -> None:
    """Every framework of the table stands there with the version that the tests install."""
    table = rows(ROOT / "docs/frameworks/README.md", "framework")
    shown = {name: version for _, cell in table for name, version in re.findall(r"`([\w-]+)` ([\d.]+)", cell)}
    assert shown
    assert shown.items() <= pinned().items()


def test_the_pins_are_installed(python: str) -> None:
    """The environment holds the pinned versions."""
    ask = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([python, "-c", ask, *pinned()], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(pinned().values())
