"""The five modes, and where each comes from."""

from __future__ import annotations

from typing import Any

from tests.plain.test_marker import ASK, cassettes, held
from tests.project import MiniProject

TEST = f"""{ASK}
@pytest.mark.vcr
def test_it():
    assert [ask(q=n) for n in (1, 2)] == [int(n) for n in os.environ["IS"]]
"""
FILE = "cassettes/test_it/test_it.yaml"


def run(project: MiniProject, url: str, mode: str, answers: str, **environ: str) -> bool:
    """Whether the test got these answers."""
    arguments = ["--record-mode", mode] if mode else []
    return project.pytest("-q", *arguments, URL=url, IS=answers, **environ).code == 0


def test_once(project: MiniProject, server: Any) -> None:
    """`once` records where there is no file, and is `none` where there is one."""
    project.write({"test_it.py": TEST})
    assert run(project, server.url, "once", "12")
    assert run(project, server.url, "once", "12")
    project.edit("test_it.py", "(1, 2)", "(1, 3)")
    assert not run(project, server.url, "once", "13")
    assert server.count == 2


def test_new_episodes(project: MiniProject, server: Any) -> None:
    """`new_episodes` answers what it can and adds the rest at the end; nothing is written where nothing is new."""
    project.write({"test_it.py": TEST})
    assert run(project, server.url, "new_episodes", "12")
    before = (project.root / FILE).stat().st_mtime_ns
    assert run(project, server.url, "new_episodes", "12")
    assert (project.root / FILE).stat().st_mtime_ns == before
    project.edit("test_it.py", "(1, 2)", "(1, 3, 2)")
    assert run(project, server.url, "new_episodes", "132")
    assert held(project, FILE) == 3
    assert run(project, server.url, "none", "132")
    assert server.count == 3


def test_all(project: MiniProject, server: Any) -> None:
    """`all` asks everything anew in the place of the earlier answers, and keeps what it did not ask."""
    project.write({"test_it.py": TEST})
    assert run(project, server.url, "all", "12")
    project.edit("test_it.py", "(1, 2)", "(2, 3)")
    assert run(project, server.url, "all", "34")
    assert held(project, FILE) == 3
    project.edit("test_it.py", "(2, 3)", "(1, 2, 3)")
    assert run(project, server.url, "none", "134")


def test_rewrite(project: MiniProject, server: Any) -> None:
    """`rewrite` leaves nothing of the earlier file."""
    project.write({"test_it.py": TEST})
    assert run(project, server.url, "rewrite", "12")
    project.edit("test_it.py", "(1, 2)", "(3,)")
    assert run(project, server.url, "rewrite", "3")
    assert held(project, FILE) == 1
    assert cassettes(project) == [FILE]


def test_an_unreachable_provider_costs_nothing(project: MiniProject, server: Any) -> None:
    """Where no request was answered the earlier recording stays, and no journal is left behind."""
    project.write({"test_it.py": TEST})
    assert run(project, server.url, "rewrite", "12")
    before = (project.root / FILE).read_bytes()
    assert not run(project, "http://127.0.0.1:9", "rewrite", "12")
    assert (project.root / FILE).read_bytes() == before
    assert cassettes(project) == [FILE]


def test_what_a_failing_test_recorded_is_kept(project: MiniProject, server: Any) -> None:
    """Paid answers are kept although the test made nothing of them, unless `record_on_exception` says otherwise."""
    project.write({"test_it.py": TEST.replace("mark.vcr", "mark.vcr(record_on_exception=False)")})
    assert not run(project, server.url, "rewrite", "99")
    assert cassettes(project) == []
    project.write({"test_it.py": TEST})
    assert not run(project, server.url, "rewrite", "99")
    assert run(project, server.url, "none", "34")


def test_the_mode_of_the_settings(project: MiniProject, server: Any) -> None:
    """`record_mode` of the marker or a fixture counts where no flag is given; in CI only the flag records."""
    project.write({"test_it.py": TEST.replace("mark.vcr", "mark.vcr(record_mode='once')")})
    assert not run(project, server.url, "", "12", CI="true")
    assert not run(project, server.url, "none", "12")
    assert server.count == 0
    assert run(project, server.url, "", "12")
    (project.root / FILE).unlink()
    fixture = "import pytest\n@pytest.fixture(scope='session')\ndef record_mode():\n    return 'once'\n"
    project.write({"test_it.py": TEST, "conftest.py": fixture})
    assert run(project, server.url, "", "34")
    assert run(project, server.url, "", "34")


def test_disabled(project: MiniProject, server: Any) -> None:
    """`--disable-recording` leaves marked tests to the network."""
    project.write({"test_it.py": TEST})
    assert project.pytest("-q", "--disable-recording", URL=server.url, IS="12").code == 0
    assert cassettes(project) == []
