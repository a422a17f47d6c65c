"""`harness mv` gives a scenario another name, with all that was recorded for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.pipeline import carry_out, plan_move
from harness.settings import Project, load_project
from tests.project import MiniProject

ROOT = Path(__file__).parents[2]
SHIPPED = ("conftest.py", "pyproject.toml", "scenarios", "cassettes")


@pytest.fixture
def project(tmp_path: Path) -> MiniProject:
    """A copy of the scenarios that we ship."""
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    return MiniProject(tmp_path)


def files(project: MiniProject) -> dict[str, bytes]:
    """Every file of its scenarios and cassettes, byte for byte."""
    folders = (project.root / "scenarios", project.root / "cassettes")
    found = (file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return {file.relative_to(project.root).as_posix(): file.read_bytes() for file in found}


def test_a_scenario_moves_with_everything(project: MiniProject) -> None:
    """File, script, recordings, verdicts and baseline get the new name, outside and inside, and replay as before."""
    done = project.harness("mv", "support/refund-insisted", "refunds/insisted")
    assert done.code == 0, done.text
    assert "scenarios/support/refund-insisted.yaml → scenarios/refunds/insisted.yaml" in done.out
    assert "cassettes/support/refund-insisted/baseline.json → cassettes/refunds/insisted/baseline.json" in done.out
    after = files(project)
    assert not [name for name in after if "refund-insisted" in name]
    assert not (project.root / "cassettes/support/refund-insisted").exists()
    moved = [name.partition("insisted")[2] for name in after if "refunds/insisted" in name]
    assert sorted(moved) == [
        ".judge.script.yaml",
        ".script.yaml",
        ".yaml",
        "/baseline.json",
        "/default/1.judge-polite-refusal.yaml",
        "/default/1.yaml",
    ]
    assert b"scenario: 'refunds/insisted'" in after["cassettes/refunds/insisted/default/1.yaml"]
    (case,) = json.loads(after["cassettes/refunds/insisted/baseline.json"])["cases"]
    assert (case["scenario"], case["source"]) == ("refunds/insisted", "scenarios/refunds/insisted.yaml")
    for text in ("prompts", "rubrics"):  # what it finds above it stays where others find it
        shutil.copytree(project.root / "scenarios/support" / text, project.root / "scenarios/refunds" / text)
    ran = project.harness("run", "-v", "-k", "insisted")
    assert ran.code == 0, ran.text
    assert "refunds/insisted" in ran.out
    assert "1 passed" in ran.out
    assert project.harness("drift", "-k", "insisted").out == "1 case replayed: no drift\n"


def test_there_and_back_again_changes_nothing(project: MiniProject) -> None:
    """What is moved twice is byte for byte what it was; paths serve as names."""
    before = files(project)
    scenarios = project.root / "scenarios/support"
    assert project.harness("mv", "refund-insisted.yaml", "other.yaml", cwd=scenarios).code == 0
    assert files(project).keys() != before.keys()
    assert project.harness("mv", "scenarios/support/other.yaml", "support/refund-insisted").code == 0
    assert files(project) == before


def test_a_folder_moves(project: MiniProject) -> None:
    """A folder of scenarios moves with its prompts and code, and all of it replays."""
    done = project.harness("mv", "support", "desk")
    assert done.code == 0, done.text
    assert not (project.root / "cassettes/support").exists()
    project.write(
        {"conftest.py": (project.root / "conftest.py").read_text().replace("scenarios.support", "scenarios.desk")}
    )
    drift = project.harness("drift")
    assert (drift.code, drift.out) == (0, "20 cases replayed, 1 skipped: no drift\n"), drift.text
    (case,) = json.loads((project.root / "cassettes/desk/two-refunds/baseline.json").read_bytes())["cases"]
    assert (case["scenario"], case["source"]) == ("desk/two-refunds", "scenarios/desk/two-refunds.yaml")


def test_recordings_follow_a_scenario_that_was_renamed_by_hand(project: MiniProject) -> None:
    """The orphans that a renamed file left behind are adopted by the new name."""
    support = project.root / "scenarios/support"
    (support / "two-refunds.yaml").rename(support / "both-refunds.yaml")
    (support / "two-refunds.script.yaml").rename(support / "both-refunds.script.yaml")
    assert project.harness("drift", "-k", "both").code == 1
    assert project.harness("mv", "support/two-refunds", "support/both-refunds").code == 0
    assert project.harness("drift", "-k", "both").code == 0


REFUSED = {
    "collision": ("support/two-refunds", "support/order-status", "scenarios/support/order-status.yaml: exists already"),
    "unknown": ("support/none", "support/new", "neither the old name nor 'support/new' is a scenario"),
    "bad name": ("support/two-refunds", "Support/Two", "'Support' is no part of a name"),
    "upwards": ("support/two-refunds", "../two", "'..' is no part of a name"),
    "outside": ("support/two-refunds", "/tmp/two.yaml", "is not in scenarios/"),
    "outside by path": ("scenarios/../conftest.yaml", "support/x", "is not in scenarios/"),
    "a script": ("support/two-refunds", "support/two.script", "would be no scenario there"),
    "among prompts": ("support/two-refunds", "support/prompts/two", "would be no scenario there"),
    "into itself": ("support", "support/more", "lies inside of what is to be moved"),
}


@pytest.mark.parametrize(("old", "new", "says"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_is_refused(project: MiniProject, old: str, new: str, says: str) -> None:
    """Nothing is touched, and the message says what is in the way."""
    before = files(project)
    done = project.harness("mv", old, new)
    assert (done.code, done.out) == (2, ""), done.text
    assert says in done.err
    assert files(project) == before


def test_recordings_of_another_are_not_replaced(project: MiniProject) -> None:
    """Where the new name has recordings of its own, or an interrupted one is open, nothing moves."""
    other = project.root / "cassettes/support/fresh/default"
    shutil.copytree(project.root / "cassettes/support/order-status/default", other)
    done = project.harness("mv", "support/two-refunds", "support/fresh")
    assert done.code == 2
    assert "cassettes/support/fresh/default/1.yaml: is in the way" in done.err
    project.write({"cassettes/support/two-refunds/default/1.journal": "version: 1\n"})
    done = project.harness("mv", "support/two-refunds", "support/free")
    assert done.code == 2
    assert "1.journal: holds an interrupted recording" in done.err


def thin_out(project: MiniProject) -> None:
    """Leave two scenarios in each folder: every step is tried, and more of the same ones show no more."""
    shutil.rmtree(project.root / "scenarios/research/documents")
    for baseline in [*project.root.glob("cassettes/*/*/baseline.json")]:
        name = baseline.parent.relative_to(project.root / "cassettes")
        if name.name not in ("refund-insisted", "two-refunds", "wind-limit", "harbour-fee"):
            shutil.rmtree(baseline.parent)
            for suffix in (".yaml", ".script.yaml"):
                (project.root / "scenarios" / f"{name}{suffix}").unlink()


class _CrashError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(("old", "new"), [("support/refund-insisted", "refunds/insisted"), ("research", "library")])
def test_a_move_that_is_cut_off_is_finished_by_the_next(
    project: MiniProject, old: str, new: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Cut off before any of its steps, it has lost nothing, and to say it again finishes it."""
    thin_out(project)
    untouched = tmp_path / "untouched"
    for name in ("scenarios", "cassettes"):
        shutil.copytree(project.root / name, untouched / name)
    known = load_project(project.root)
    carry_out(known, plan_move(known, old, new))
    wanted = files(project)
    steps = 1
    while _cut_off(project, untouched, known, (old, new), steps, monkeypatch):
        present = files(project)
        for name in files(MiniProject(untouched)):
            assert {name, name.replace(old, new, 1)} & present.keys(), f"{name} is lost after {steps} steps"
        if present != wanted:  # else it was cut off while it removed empty folders
            carry_out(known, plan_move(known, old, new))
        left = {name: data for name, data in files(project).items() if not Path(name).name.startswith(".")}
        assert left == wanted, steps
        steps += 1
    assert steps > 5


def _cut_off(
    project: MiniProject,
    untouched: Path,
    known: Project,
    names: tuple[str, str],
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> bool:
    """Move in a fresh copy until that many changes of the disk were made; whether it was cut off before its end."""
    for name in ("scenarios", "cassettes"):
        shutil.rmtree(project.root / name)
        shutil.copytree(untouched / name, project.root / name)
    move = plan_move(known, *names)
    left = [steps]
    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "unlink", "rmdir"):
            patch.setattr(Path, name, _bomb(getattr(Path, name), left))
        try:
            carry_out(known, move)
        except _CrashError:
            return True
    return False


def _bomb(real: object, left: list[int]) -> object:
    """A change of the disk that ends the process once there were enough of them; every later one as well."""

    def change(*arguments: object, **options: object) -> object:
        left[0] -= 1
        if left[0] <= 0:
            raise _CrashError
        return real(*arguments, **options)  # type: ignore[operator]

    return change


def test_both_names_may_not_be_scenarios(project: MiniProject) -> None:
    """A scenario is not taken for the rest of an interrupted move."""
    known = load_project(project.root)
    with pytest.raises(BadInputError, match="exists already"):
        plan_move(known, "support/two-refunds", "support/refund-insisted")
