"""How long the replay of many scenarios takes, as a whole process, and where the time goes.

    python benchmarks/replay.py [SCENARIOS]

Makes a project of that many scenarios (1,000) of two model calls each, recorded once from the simulated provider and
copied, then runs ``harness run`` on it and on a project of a tenth the size, in turns. Prints the ratio of the costs
per scenario: near 1.0 means that the cost does not grow with the size.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.providers.simulated import running_provider
from tests.project import DESK, MiniProject


def make_project(root: Path, count: int) -> MiniProject:
    """A project whose scenarios are copies of one, each with its own recording."""
    project = MiniProject(root).write(DESK)
    # one client for all, as agents in production have it: building one costs a TLS context each, whoever asks
    project.edit("desk.py", "    client = AsyncOpenAI(max_retries=0)\n", "")
    project.edit(
        "desk.py", "class Order(BaseModel):", "client = AsyncOpenAI(max_retries=0)\n\n\nclass Order(BaseModel):"
    )
    with running_provider([root / "status.script.yaml"]) as url:
        assert project.record(url).code == 0
    scenario, cassettes = root / "scenarios/status.yaml", root / "cassettes/status"
    for number in range(1, count):
        shutil.copy(scenario, root / f"scenarios/status-{number:05d}.yaml")
        shutil.copytree(cassettes, root / f"cassettes/status-{number:05d}")
    return project


def measure(project: MiniProject) -> float:
    """Seconds of one whole run."""
    began = time.perf_counter()
    done = project.harness("run", "-q")
    assert done.code == 0, done.text
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as folder:
        small = make_project(Path(folder) / "small", max(1, count // 10))
        large = make_project(Path(folder) / "large", count)
        empty = make_project(Path(folder) / "one", 1)
        rounds = [(measure(empty), measure(small), measure(large)) for _ in range(3)]
    one, tenth, whole = (statistics.median(column) for column in zip(*rounds, strict=True))
    per_small, per_large = (tenth - one) / (count // 10), (whole - one) / count
    print(f"1 scenario: {one:.2f} s; {count // 10}: {tenth:.2f} s; {count}: {whole:.2f} s")
    print(f"per scenario beyond the first: {per_small * 1e3:.2f} ms and {per_large * 1e3:.2f} ms")
    print(f"ratio: {per_large / per_small:.2f}")


if __name__ == "__main__":
    main()
