"""Where another plugin has the flags that ours would have, ours are not added, whichever of us comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import MiniProject

PLUGIN = """\
import pytest

def pytest_addoption(parser):
    parser.addoption("--record-mode", default="none")

def pytest_configure(config):
    config.addinivalue_line("markers", "vcr: theirs")

@pytest.fixture
def vcr():
    return "theirs"
"""
TEST = """\
import pytest

@pytest.mark.vcr
def test_it(vcr):
    assert vcr == "theirs"
"""


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("entry", "module"),
    [("recording", "pytest_recording.plugin"), ("vcr", "pytest_vcr"), ("cassetter", "cassetter.pytest_plugin")],
)
def test_standing_back(project: MiniProject, tmp_path: Path, entry: str, module: str, first: bool) -> None:
    """A plugin of that name keeps its flags, marker and fixture; blocked, it leaves them to us."""
    file = f"theirs/{module.replace('.', '/')}.py"
    package = {f"theirs/{module.partition('.')[0]}/__init__.py": ""} if "." in module else {}
    project.write(
        {
            "test_it.py": TEST,
            file: PLUGIN,
            **package,
            "theirs/standin-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: standin\nVersion: 1\n",
            "theirs/standin-1.dist-info/entry_points.txt": f"[pytest11]\n{entry} = {module}\n",
        }
    )
    add = "insert(0, " if first else "append("
    found = f"sys.path.{add}{str(tmp_path / 'theirs')!r})"
    done = project.pytest("-q", "--strict-markers", "test_it.py", prelude=found)
    assert done.code == 0, done.text
    blocked = project.pytest("-q", "--strict-markers", "test_it.py", "-p", f"no:{entry}", prelude=found)
    assert "1 failed" in blocked.out, blocked.text
    assert "PlainCassette" in blocked.out
