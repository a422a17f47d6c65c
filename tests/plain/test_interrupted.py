"""A recording of a plain test that is killed loses no answer that had come."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.plain.test_marker import ASK, cassettes, held
from tests.project import MiniProject

TEST = f"""{ASK}
import signal

@pytest.mark.vcr
def test_it():
    assert ask(q=1) == 1
    if os.environ.get("DIE"):
        os.kill(os.getpid(), getattr(signal, os.environ["DIE"]))
    assert ask(q=2) == 2
"""
FILE = "cassettes/test_it/test_it.yaml"


@pytest.mark.skipif(sys.platform == "win32", reason="there a process can't send itself these signals")
def test_killed_and_recorded_again(project: MiniProject, server: Any) -> None:
    """After SIGKILL or Ctrl-C the earlier cassette is whole, and the next recording asks only what is missing."""
    for mode, signal in (("once", "SIGKILL"), ("rewrite", "SIGINT")):
        server.received.clear()
        project.write({"test_it.py": TEST})
        before = (project.root / FILE).read_bytes() if (project.root / FILE).is_file() else None
        assert project.pytest("-q", f"--record-mode={mode}", URL=server.url, DIE=signal).code != 0
        assert server.count == 1
        assert ((project.root / FILE).read_bytes() if before else None) == before
        done = project.pytest("-q", f"--record-mode={mode}", URL=server.url)
        assert done.code == 0, done.text
        assert server.count == 2
        assert project.pytest("-q", URL=server.url).code == 0
        assert held(project, FILE) == 2
        assert cassettes(project) == [FILE]


def test_the_same_again_changes_nothing(project: MiniProject, server: Any) -> None:
    """Recording anew what is answered as before leaves the file as it is, dates and times included."""
    test = TEST.replace(" == 1\n", "\n").replace(" == 2\n", "\n").replace('/" + path', '/stream"')
    project.write({"test_it.py": test.replace('.json()["n"]', ".status_code")})
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    before = (project.root / FILE).read_bytes()
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    assert server.count == 4
    assert (project.root / FILE).read_bytes() == before
