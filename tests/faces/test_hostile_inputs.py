"""Malformed and hostile files end in 2 with their place, at once, without a traceback, and write nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import pytest

from tests.project import DESK, MiniProject

GOOD = DESK["scenarios/status.yaml"]
LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))

HOSTILE: Mapping[str, tuple[bytes, str]] = {
    "bad YAML": (GOOD.replace("tags: [parcel]", "tags: [parcel").encode(), "scenarios/status.yaml:3"),
    "tag": (
        GOOD.replace("subject: desk", "subject: !!python/name:os.system desk").encode(),
        "scenarios/status.yaml:3:10",
    ),
    "alias bomb": (LAUGHS.encode(), "scenarios/status.yaml:1:4"),
    "duplicate key": (GOOD.replace("input:", "subject: desk\ninput:").encode(), "scenarios/status.yaml:4:1"),
    "unknown key": (GOOD.replace("subject: desk", "subjct: desk").encode(), "scenarios/status.yaml:3:1"),
    "wrong type": (GOOD.replace("model_calls: 2", 'model_calls: "2"').encode(), "scenarios/status.yaml:12:23"),
    "traversal in a name": (
        GOOD.replace("limits:", "  - judge: {rubric: ../../etc/passwd, at_least: 4 of 5}\nlimits:").encode(),
        "scenarios/status.yaml:12:21",
    ),
    "not UTF-8": (
        GOOD.replace("Where is the parcel", "Wo ist das P\xe4ckchen").encode("latin-1"),
        "scenarios/status.yaml:1",
    ),
    "40,000 brackets": (b"world: " + b"[" * 40_000, "scenarios/status.yaml:1"),
    "empty": (b"", "scenarios/status.yaml"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scenario(desk: MiniProject, name: str) -> None:
    """The file and line are named, and that is all that happens."""
    content, place = HOSTILE[name]
    (desk.root / "scenarios/status.yaml").write_bytes(content)
    done = desk.harness("run")
    assert done.code == 2, done.text
    assert place in done.err
    assert "Traceback" not in done.text
    assert not (desk.root / "reports").exists()


def test_settings_in_another_coding(desk: MiniProject) -> None:
    """A pyproject.toml that is not UTF-8 is named with its line."""
    (desk.root / "pyproject.toml").write_bytes("[tool.harness]\n# größer\n".encode("latin-1"))
    done = desk.harness("run")
    assert done.code == 2, done.text
    assert "pyproject.toml:2: is not UTF-8; save it as UTF-8" in done.err
    assert "Traceback" not in done.text


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_truncated_cassette(desk: MiniProject, keep: float) -> None:
    """A cassette that lost its end is named, wherever it was cut."""
    file = desk.root / "cassettes/status/default/1.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: int(len(text) * keep)], encoding="utf-8")
    done = desk.harness("run")
    assert done.code == 2, done.text
    assert "cassettes/status/default/1.yaml:" in done.err
    assert "Traceback" not in done.text
    assert not (desk.root / "reports").exists()


def test_cassette_cut_between_exchanges(desk: MiniProject) -> None:
    """A cut that leaves valid YAML is noticed by the count."""
    file = desk.root / "cassettes/status/default/1.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.rindex("\n- request:") + 1], encoding="utf-8")
    done = desk.harness("run")
    assert done.code == 2, done.text
    assert "cassettes/status/default/1.yaml:" in done.err


def test_every_broken_cassette_is_named(desk: MiniProject) -> None:
    """Two broken cassettes are named in one go."""
    folder = desk.root / "cassettes"
    shutil.copytree(folder / "status", folder / "other")
    shutil.copy(desk.root / "scenarios/status.yaml", desk.root / "scenarios/other.yaml")
    for name in ("status", "other"):
        (folder / name / "default/1.yaml").write_text("version: 1\n", encoding="utf-8")
    done = desk.harness("run")
    assert done.code == 2, done.text
    for name in ("status", "other"):
        assert f"cassettes/{name}/default/1.yaml:" in done.err


def test_all_faults_of_all_files_at_once(desk: MiniProject) -> None:
    """Two broken files and two faults in one of them are all named in one go."""
    desk.write({"scenarios/b.yaml": "description: b\nsubject: desk\ninput: b\n", "scenarios/c.yaml": "descripton: c\n"})
    done = desk.harness("run")
    assert done.code == 2
    assert "scenarios/b.yaml:1:1: " in done.err
    assert "scenarios/c.yaml:1:1: unknown key 'descripton'; did you mean 'description'?" in done.err
    assert done.err.count("scenarios/c.yaml:") > 1
