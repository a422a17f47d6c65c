"""``harness run`` imports conftest files as pytest does."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from harness.errors import BadInputError
from harness.loading import load_conftests
from harness.settings import Project


@pytest.fixture(autouse=True)
def own_modules(project: Project) -> Iterator[None]:
    """What a test imports is gone after it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None) or project.root).startswith(str(project.root)):
            del sys.modules[name]


def write(project: Project, name: str, text: str) -> None:
    """A Python file of the project."""
    file = project.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def calls(project: Project) -> list[str]:
    """Which files ran, in order."""
    log = project.root / "log"
    return log.read_text().split() if log.exists() else []


LOG = "from pathlib import Path\nwith Path({root!r}, 'log').open('a') as log:\n    log.write({name!r} + ' ')\n"


def test_from_the_root_down_and_each_once(project: Project) -> None:
    """The root's conftest comes first, then those on the way to the scenarios; none runs twice, nor those aside."""
    for name in ("conftest.py", "scenarios/conftest.py", "scenarios/a/conftest.py", "scenarios/b/conftest.py"):
        write(project, name, LOG.format(root=str(project.root), name=name))
    sources = [project.scenarios / "a" / "x.yaml", project.scenarios / "a" / "y.yaml"]
    load_conftests(project, sources)
    load_conftests(project, sources)
    assert calls(project) == ["conftest.py", "scenarios/conftest.py", "scenarios/a/conftest.py"]


def test_the_projects_modules_can_be_imported(project: Project) -> None:
    """A conftest imports from the root, where folders are namespace packages, and from beside itself."""
    write(project, "scenarios/tools_of_a/desk.py", "NAME = 'desk'\n")
    write(project, "scenarios/a/beside_a.py", "NAME = 'beside'\n")
    write(project, "conftest.py", "from scenarios.tools_of_a.desk import NAME\nassert NAME == 'desk'\n")
    write(project, "scenarios/a/conftest.py", "from beside_a import NAME\nassert NAME == 'beside'\n")
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "scenarios"}
    try:
        load_conftests(project, [project.scenarios / "a" / "x.yaml"])
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "scenarios"]:
            del sys.modules[name]
        sys.modules.update(own)


def test_a_conftest_in_a_package_may_import_relatively(project: Project) -> None:
    """Where the folder is a package, its conftest is a module of it."""
    write(project, "pack_of_a/__init__.py", "")
    write(project, "pack_of_a/desk.py", "NAME = 'desk'\n")
    write(project, "pack_of_a/conftest.py", "from .desk import NAME\nassert NAME == 'desk'\n")
    load_conftests(project, [project.root / "pack_of_a" / "x.yaml"])
    assert "pack_of_a.conftest" in sys.modules


def test_one_that_pytest_imported_is_left_alone(project: Project) -> None:
    """What is imported already, under whatever name, isn't run again."""
    load_conftests(Project(*[project.root] * 4), [])
    here = sys.modules[__name__]
    count = len(sys.modules)
    file = str(project.root / "conftest.py")
    write(project, "conftest.py", "raise SystemExit('ran again')\n")
    sys.modules["conftest_of_pytest"] = module = type(here)("conftest")
    module.__file__ = file
    load_conftests(project, [])
    assert len(sys.modules) == count + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import harness\n\n1 / 0\n", "conftest.py:3: raised ZeroDivisionError: division by zero; mend it"),
        ("def f(:\n", "conftest.py:1: raised SyntaxError:"),
        ("import no_such_module_here\n", "conftest.py:1: raised ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)\n", "conftest.py:1: raised SystemExit: 3; mend it"),
        ("import json\n\njson.loads('{')\n", "conftest.py:3: raised JSONDecodeError:"),
        ("import broken_of_a\n", "broken_of_a.py:2: raised KeyError: 'x'; mend it"),
        ("raise ValueError('two\\nlines')\n", "conftest.py:1: raised ValueError: two lines; mend it"),
        ("raise ValueError\n", "conftest.py:1: raised ValueError; mend it"),
    ],
)
def test_a_conftest_that_raises(project: Project, text: str, words: str) -> None:
    """It is bad input, with the line of the project that raised; and it is tried anew, not half imported."""
    write(project, "broken_of_a.py", "table = {}\ntable['x']\n")
    write(project, "conftest.py", text)
    for _ in range(2):
        with pytest.raises(BadInputError) as caught:
            load_conftests(project, [])
        assert str(caught.value).startswith(words)
        assert "\n" not in str(caught.value)
