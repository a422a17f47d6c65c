"""What loading a cassette takes, its count and digest checked, beside YAML parsers and other tools on the same file.

    python benchmarks/loading.py [CASSETTE ...]

Without arguments: five of the shipped cassettes, by size, and one of a thousand exchanges. The ways take turns at the
same file, ten loads in a row each, as a session loads one cassette after the other. Printed is the median: of ours in
milliseconds, of the others also as ratio, ours to theirs. vcrpy loads through libyaml too. cassetter takes part where
it is installed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from harness.cassettes import load_cassette, save_cassette
from harness.records.exchange import Cassette

try:
    import cassetter
except ImportError:
    cassetter = None

SHIPPED = sorted((Path(__file__).parents[1] / "cassettes").rglob("*.yaml"), key=lambda file: file.stat().st_size)
SECONDS = 4.0
"""For each file."""


def ways(file: Path) -> dict[str, Callable[[], object]]:
    """Each way of loading this file; ours first."""
    text = file.read_text(encoding="utf-8")
    found: dict[str, Callable[[], object]] = {
        "ours": lambda: load_cassette(file),
        "libyaml": lambda: yaml.load(text, Loader=yaml.CSafeLoader),
        "pure Python": lambda: yaml.load(text, Loader=yaml.SafeLoader),
        "vcrpy": lambda: FilesystemPersister.load_cassette(file, yamlserializer),
    }
    if cassetter is not None:
        found["cassetter"] = lambda: cassetter.Cassette(str(file), record_mode=cassetter.RecordMode.NONE).load()
    return found


def measure(file: Path) -> dict[str, float]:
    """The median milliseconds of each way. The slow ones take fewer turns."""
    spent: dict[str, list[float]] = {}
    loads = ways(file)
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        for name, load in loads.items():
            taken = spent.setdefault(name, [])
            is_slow = bool(taken) and taken[0] > 10
            for _ in range(0 if is_slow and len(taken) >= 3 else 1 if is_slow else 10):
                start = time.perf_counter()
                load()
                taken.append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(taken) for name, taken in spent.items()}


def thousand(folder: Path) -> Path:
    """The exchanges of the median shipped cassette, over and over."""
    exchanges = load_cassette(SHIPPED[len(SHIPPED) // 2]).exchanges
    file = folder / "a thousand exchanges.yaml"
    save_cassette(file, Cassette(exchanges=(exchanges * (1000 // len(exchanges) + 1))[:1000]))
    return file


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(name) for name in sys.argv[1:]]
        files = files or [
            *(SHIPPED[len(SHIPPED) * part // 4] for part in range(4)),
            SHIPPED[-1],
            thousand(Path(folder)),
        ]
        for file in files:
            taken = measure(file)
            ours = taken.pop("ours")
            others = ", ".join(f"{ours / other:.2f} x {name} ({other:.2f})" for name, other in taken.items())
            size = file.stat().st_size / 1024
            print(f"{size:6.0f} KB, {len(load_cassette(file).exchanges)} exchanges: {ours:.2f} ms = {others}")


if __name__ == "__main__":
    main()
