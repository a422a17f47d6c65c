"""Imports point down the floors, and nothing imports in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "harness"

FLOORS = {
    7: ("cli", "commands", "items", "plain", "plugin"),
    6: ("pipeline",),
    5: ("loading", "running", "scoring", "comparing", "store", "reporting"),
    4: ("subjects", "scorers"),
    3: ("agent",),
    2: ("providers", "cassettes"),
    1: ("disk", "registry", "seams", "secrets", "settings", "strictyaml", "virtual", "wire"),
    0: ("errors", "git", "records"),
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
NEIGHBOURS = {
    ("cli", "commands"),
    ("git", "errors"),
    ("plugin", "items"),
    ("plugin", "plain"),
    ("records", "errors"),
    ("virtual", "seams"),
}
"""Rooms of one floor of which the first may know the second: a face in two files, and the ground below all."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package with its dotted name below it."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), file


def imports(file: Path) -> Iterator[str]:
    """The dotted names below ``harness`` that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [base] if base != "harness" else [f"harness.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("harness.") for name in names if name.startswith("harness."))


MODULES = [(name, file) for name, file in modules() if name]


def breaches(name: str, imported: str) -> str | None:
    """Why one module may not import another; None where it may."""
    here, there = name.partition(".")[0], imported.partition(".")[0]
    if here == there or (here, there) in NEIGHBOURS:
        return None
    if FLOOR[there] < FLOOR[here]:
        return None
    return f"{name} (floor {FLOOR[here]}) imports {imported} (floor {FLOOR[there]})"


@pytest.mark.parametrize(("name", "file"), MODULES, ids=[name for name, _ in MODULES])
def test_imports_point_down(name: str, file: Path) -> None:
    """A module imports from lower floors or its own room only."""
    assert name.partition(".")[0] in FLOOR, f"{name} has no floor; give it one in FLOORS and in docs/architecture.md"
    assert [problem for imported in imports(file) if (problem := breaches(name, imported))] == []


def test_a_breach_is_found() -> None:
    """The rule refuses an import upwards and one between rooms of a floor."""
    assert breaches("records.run", "pipeline")
    assert breaches("scoring.scores", "reporting")
    assert breaches("pipeline.running", "scoring") is None


def test_no_cycles() -> None:
    """No module reaches itself through its imports at the top of files."""
    known = {name for name, _ in MODULES}
    graph = {}
    for name, file in MODULES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness."):
                base = (node.module or "").removeprefix("harness.")
                found |= {full if (full := f"{base}.{alias.name}") in known else base for alias in node.names}
        graph[name] = found - {name}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' → '.join(error.args[1])}")
