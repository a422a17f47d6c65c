"""Prompts and rubrics are found beside a scenario or above it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.seams import Seams
from harness.subjects.task import Task, World


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task of a scenario two folders below the root, with a file outside that nobody may read."""
    root = tmp_path / "scenarios"
    (root / "support" / "eu" / "prompts").mkdir(parents=True)
    (root / "support" / "prompts" / "triage").mkdir(parents=True)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "secret.md").write_text("secret")
    return Task("hello", {}, World({}), folder=root / "support" / "eu", prompt_root=root, seams=Seams("t"))


def test_the_nearest_prompt_wins(task: Task) -> None:
    """A prompt beside the scenario hides one of the same name above."""
    (task.folder.parent / "prompts" / "desk.md").write_text("above")
    assert task.prompt("desk") == "above"
    (task.folder / "prompts" / "desk.md").write_text("beside")
    assert task.prompt("desk") == "beside"


def test_a_name_may_have_folders(task: Task) -> None:
    """Prompts can be kept in folders."""
    (task.folder.parent / "prompts" / "triage" / "first.md").write_text("first")
    assert task.prompt("triage/first") == "first"


@pytest.mark.parametrize(
    "name", ["../secret", "../../../prompts/secret", "/etc/passwd", "a/../b", "", "a//b", ".hidden", "A", "a\n", "a\\b"]
)
def test_a_name_leads_nowhere_else(task: Task, name: str) -> None:
    """A name that could leave the folder of prompts is refused before anything is read."""
    with pytest.raises(BadInputError, match=r"^prompts: .* names no text: use lower-case letters"):
        task.prompt(name)


def test_a_prompt_outside_the_root_is_not_found(task: Task) -> None:
    """The search ends at the scenarios folder, and says where it looked."""
    with pytest.raises(BadInputError, match=r"^prompts/secret\.md: no such file in scenarios/support/eu or above it"):
        task.prompt("secret")


@pytest.mark.parametrize("linked", ["prompts/leak.md", "prompts"])
def test_a_link_out_of_the_root_is_refused(task: Task, linked: str) -> None:
    """Neither a linked file nor a linked folder brings in what lies outside."""
    outside = task.prompt_root.parent / "prompts"
    place = task.folder / linked
    if place.is_dir():
        place.rmdir()
    place.symlink_to(outside if linked == "prompts" else outside / "secret.md")
    with pytest.raises(BadInputError, match=r"leads out of scenarios/ by a link"):
        task.prompt("secret" if linked == "prompts" else "leak")


def test_a_prompt_that_is_no_text_is_refused_with_its_line(task: Task) -> None:
    """A prompt in another encoding is refused, not guessed."""
    (task.folder / "prompts" / "latin.md").write_bytes(b"Hello,\nM\xfcller")
    with pytest.raises(BadInputError, match=r"^prompts/latin\.md:2: is not UTF-8; save the file as UTF-8"):
        task.prompt("latin")
