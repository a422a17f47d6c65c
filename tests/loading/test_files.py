"""Which files are scenarios, what they are called, and what is refused about their paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.loading import load_scenario, load_scenarios, scenario_names
from harness.settings import Project

GOOD = "description: d\nsubject: desk\ninput: hello\nexpect: [{called: f}]\n"


def write(project: Project, *names: str) -> None:
    """Good scenario files below the scenarios folder."""
    for name in names:
        file = project.scenarios / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(GOOD, encoding="utf-8")


def test_a_scenario_is_named_by_its_path(project: Project) -> None:
    """YAML below the scenarios folder is a scenario; scripts, hidden files and texts beside scenarios are not."""
    write(project, "b.yml", "a/z.yaml", "a/b/c.yaml", "a.x.yaml")
    write(
        project,
        "x.script.yaml",
        ".hidden.yaml",
        ".git/a.yaml",
        "prompts/p.yaml",
        "a/rubrics/r.yaml",
        "documents/d.yaml",
    )
    (project.scenarios / "notes.txt").write_text("not one of ours")
    names = ("a.x", "a/b/c", "a/z", "b")
    assert scenario_names(project) == names
    assert tuple(scenario.name for scenario in load_scenarios(project)) == names
    assert load_scenarios(project)[1].source == "scenarios/a/b/c.yaml"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("scenarios/a", ["a/x", "a/y"]),
        ("scenarios/a/x.yaml", ["a/x"]),
        ("scenarios", ["a/x", "a/y", "b"]),
        (".", ["a/x", "a/y", "b"]),
        ("scenarios/a/../b.yaml", ["b"]),
    ],
)
def test_paths_select(project: Project, path: str, names: list[str]) -> None:
    """A path selects the scenarios at and below it; one above the scenarios folder selects all."""
    write(project, "a/x.yaml", "a/y.yaml", "b.yaml")
    assert [scenario.name for scenario in load_scenarios(project, [project.root / path])] == names


def test_several_paths_select_each_once(project: Project) -> None:
    """Paths that overlap don't double what they select."""
    write(project, "a/x.yaml", "b.yaml")
    paths = [project.scenarios / "b.yaml", project.scenarios / "a", project.scenarios]
    assert [scenario.name for scenario in load_scenarios(project, paths)] == ["a/x", "b"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("scenarios/none", "scenarios/none: no such file or folder; name one in scenarios/"),
        ("elsewhere", "elsewhere: is not in scenarios/, where this project's scenarios are; name one there"),
        ("scenarios/a.txt", "scenarios/a.txt: is no scenario file; name one that ends in .yaml"),
        ("scenarios/empty", "scenarios/empty: holds no scenario file; name another folder"),
        ("scenarios/a.script.yaml", "scenarios/a.script.yaml: is no scenario file; name one that ends in .yaml"),
        ("out/a.yaml", "out/a.yaml: is not in scenarios/, where this project's scenarios are; name one there"),
    ],
)
def test_paths_that_hold_none(project: Project, path: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that selects nothing is bad input, and says why; so are all such paths at once."""
    monkeypatch.chdir(project.root)
    for folder in ("scenarios/empty", "elsewhere", "out"):
        (project.root / folder).mkdir()
    write(project, "a.yaml", "a.txt", "a.script.yaml", "../out/a.yaml")
    with pytest.raises(BadInputError) as caught:
        load_scenarios(project, [Path("scenarios/a.yaml"), Path(path), Path("scenarios/nor-this")])
    assert str(caught.value).splitlines() == sorted(
        [words, "scenarios/nor-this: no such file or folder; name one in scenarios/"]
    )


@pytest.mark.parametrize(
    "name", ["A.yaml", "a b.yaml", "é.yaml", "_a.yaml", "x" * 82 + ".yaml", "Sub/a.yaml", "a\n.yaml"]
)
def test_names_are_safe_everywhere(project: Project, name: str) -> None:
    """Every part of a name can be a file's name on every system and a word in a selection."""
    write(project, name)
    with pytest.raises(BadInputError, match=r"is no part of a name; use lower-case letters"):
        load_scenarios(project)


def test_two_files_of_one_name(project: Project) -> None:
    """A name stands for one file; both are told, also when they are loaded one by one."""
    write(project, "a.yaml", "a.yml")
    with pytest.raises(BadInputError) as caught:
        load_scenarios(project)
    assert str(caught.value).splitlines() == [
        "scenarios/a.yaml: has the same name as a.yml beside it; rename one",
        "scenarios/a.yml: has the same name as a.yaml beside it; rename one",
    ]


def test_a_linked_file_is_refused(project: Project) -> None:
    """A link could show what lies outside of the project."""
    write(project, "../secret.yaml")
    (project.scenarios / "a.yaml").symlink_to(project.root / "secret.yaml")
    with pytest.raises(BadInputError, match=r"^scenarios/a\.yaml: is a link, and links are not followed"):
        load_scenarios(project)


def test_a_linked_folder_is_refused(project: Project) -> None:
    """What is behind a linked folder is neither read nor left out in silence."""
    write(project, "../out/a.yaml", "b.yaml")
    (project.scenarios / "linked").symlink_to(project.root / "out")
    with pytest.raises(BadInputError, match=r"^scenarios/linked: is a link to a folder"):
        load_scenarios(project)
    with pytest.raises(BadInputError, match=r"^scenarios/linked: is a link, and links are not followed"):
        load_scenario(project, project.scenarios / "linked" / "a.yaml")


def test_a_pipe_is_no_file(project: Project) -> None:
    """A named pipe would block the loader for ever."""
    os.mkfifo(project.scenarios / "a.yaml")
    with pytest.raises(BadInputError, match=r"^scenarios/a\.yaml: is no regular file; put one here"):
        load_scenarios(project)


def test_a_missing_scenarios_folder(tmp_path: Path) -> None:
    """A project without scenarios says so."""
    project = Project(tmp_path, tmp_path / "scenarios", tmp_path / "cassettes", tmp_path / "reports")
    with pytest.raises(BadInputError, match="this project has no scenarios yet; write one in scenarios/"):
        load_scenarios(project)
