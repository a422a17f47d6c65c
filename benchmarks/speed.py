"""What a replay costs, in multiples of what the SDK takes for the same calls; docs/performance.md has the figures.

    python benchmarks/speed.py [PART ...] [--rounds N]

The parts, all by default:

``sample``   processor time of one sample (``benchmarks/workload.py``), against the same agent over the SDK with an
             in-memory mock transport: the floor
``cold``     ``harness run`` of 1,000 scenarios with its report, as a whole process, and its peak of memory
``start``    ``harness run`` of one scenario, from the start of Python to its first result
``waiting``  seconds of recorded waiting that pass in one of the processor's

Every time is the processor's, user and system, of one process: on a machine with other work the wall's says little.
What is compared is measured in turns, so that what the machine does besides falls on all of it, and the least of the
rounds counts. In brackets stands the median of the ratios of each round.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx2
import waiting
import workload
import workload_agent
from openai import AsyncOpenAI

from harness import pipeline
from harness.cassettes import ReplaySession, intercepted, load_cassette, routed, sealed
from harness.records.scenario import Case
from harness.registry import REGISTRY
from harness.seams import Seams
from harness.settings import Project, placehold_keys
from harness.store import cassette_file
from harness.subjects.conversation import answer_turn, begin, make_world
from harness.subjects.task import Task
from harness.virtual import Steering, VirtualClock, VirtualLoop, seeded, steered, steering

SAMPLES = 100
"""In one block: enough that what a run costs once, whatever its size, weighs little."""
SCENARIOS = 1_000
MEBIBYTE = 1024
"""Of what ``ru_maxrss`` counts in."""

Block = Callable[[], object]


def sdk_block(count: int) -> Block:
    """The agent over the SDK with a mock transport in memory: all samples with one client on one loop."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=headers, content=replies[request.content])

    def learn(request: httpx2.Request) -> httpx2.Response:
        replies[request.content] = workload.reply_to(request.content)
        return respond(request)

    async def answer_all(handler: Callable[[httpx2.Request], httpx2.Response]) -> None:
        async with AsyncOpenAI(
            api_key="simulated", max_retries=0, http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
        ) as client:
            for number in workload.questions(count):
                await workload_agent.answer(client, workload.ask(number))

    headers = {"content-type": "application/json"}
    replies: dict[bytes, bytes] = {}
    asyncio.run(answer_all(learn))  # so that the model's own work is not measured
    return lambda: asyncio.run(answer_all(respond))


def replay_block(project: Project, cases: Sequence[Case]) -> Block:
    """Each sample from its cassette: loaded, and played to the agent on a loop of its own, and no more than that."""
    plan = pipeline.Plan(project)

    async def replay(case: Case) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = VirtualClock(loop)
        session = ReplaySession(load_cassette(cassette_file(project, case, 1)), clock=clock)
        subject = REGISTRY.find_subject(case.scenario.subject)
        seams: Seams = plan.seams(case, 1, clock)
        world = make_world(subject, case.scenario.world)
        task = Task(case.scenario.turns[0], {}, world, project.root, project.scenarios, seams)
        with steering(Steering(random.Random(1), clock, clock.now)), seeded("1"), routed(session):
            await answer_turn(begin(subject, project), subject.name, task)
        assert session.mismatch is None
        assert not session.unplayed

    def replay_all() -> None:
        with intercepted(), steered(), sealed():
            for case in cases:
                VirtualLoop(patience=60).run(replay(case))

    return replay_all


def whole_block(project: Project, cases: Sequence[Case]) -> Block:
    """Each sample replayed, its trace read and scored, and the report on all of them written."""

    def run_all() -> None:
        with pipeline.go_offline(project):
            run = pipeline.run_cases(pipeline.Plan(project), cases)
        results = pipeline.compare_with_baseline(project, run)
        assert all(case.outcome == "passed" for case in results.cases)
        facts = pipeline.collect_facts(argv=[], mode="replay", concurrency=1, started_at="", seconds=0)
        pipeline.write_report(project.reports / "latest", results, facts)

    return run_all


def measure(blocks: Mapping[str, Block], rounds: int) -> dict[str, list[float]]:
    """The processor's seconds of each block, round by round."""
    times: dict[str, list[float]] = {name: [] for name in blocks}
    for number in range(rounds + 1):
        for name, block in blocks.items():
            gc.collect()
            began = time.process_time()
            block()
            if number:  # the first round warms up
                times[name].append(time.process_time() - began)
    return times


def ratio(times: Sequence[float], floor: Sequence[float]) -> str:
    """The least against the least, and the median of the rounds."""
    middle = statistics.median(one / other for one, other in zip(times, floor, strict=True))
    return f"{min(times) / min(floor):.2f} ({middle:.2f})"


def measure_samples(rounds: int) -> None:
    """Print the part ``sample``."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = workload.make_project(Path(folder) / "project", SAMPLES, ("desk", "reference"))
        stack.callback(os.chdir, Path.cwd())
        os.chdir(root)
        placehold_keys()
        project = pipeline.open_project([root])
        blocks = {"the SDK over a mock transport (the floor)": sdk_block(SAMPLES)}
        for subject, words in (("desk", "an SDK agent"), ("reference", "the reference agent")):
            cases = pipeline.gather_cases(project, [root / "scenarios" / subject])
            blocks[f"{words}, replayed"] = replay_block(project, cases)
            blocks[f"{words}, with trace, scores and report"] = whole_block(project, cases)
        times = measure(blocks, rounds)
    floor = next(iter(times.values()))
    print(f"one sample, of {SAMPLES} in a block; {rounds} rounds; processor time")
    for name, found in times.items():
        print(f"  {name:52} {min(found) / SAMPLES * 1e3:6.2f} ms   {ratio(found, floor)} x the floor")


def run_process(code: str, *arguments: str, cwd: Path) -> tuple[float, float, str]:
    """A Python of its own: the processor's seconds that it took, its peak of memory in MiB, and what it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=workload.clean_environ(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, out
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / MEBIBYTE, out


RUN = "import sys; from harness.cli import main; sys.exit(main())"


def measure_cold(rounds: int) -> None:
    """Print the part ``cold``."""
    times: dict[str, list[float]] = {"sdk": [], "harness": []}
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        root = workload.make_project(Path(folder) / "large", SCENARIOS)
        for _ in range(max(1, rounds // 4)):
            found = measure({"sdk": sdk_block(SAMPLES)}, 2)["sdk"]
            times["sdk"].append(min(found) * SCENARIOS / SAMPLES)
            spent, peak, _ = run_process(RUN, "run", "-q", cwd=root)
            times["harness"].append(spent)
            peaks.append(peak)
    print(f"{SCENARIOS:,} scenarios from cold, whole `harness run` with report; {len(peaks)} rounds; processor time")
    print(f"  the SDK's own calls {min(times['sdk']):6.2f} s   ({SAMPLES} samples, times {SCENARIOS // SAMPLES})")
    against = ratio(times["harness"], times["sdk"])
    print(f"  harness run         {min(times['harness']):6.2f} s   {against} x the SDK's own")
    print(f"  peak of memory      {max(peaks):6.0f} MiB")


FIRST_RESULT = """
import sys, time
from harness.commands.console import Progress
from harness.cli import main

def hear(self, part):
    print("first result", time.process_time())

Progress.hear = hear
sys.exit(main())
"""
"""Tells when the first case ended: the processor's seconds since Python began."""


def measure_start(rounds: int) -> None:
    """Print the part ``start``."""
    times: dict[str, list[float]] = {name: [] for name in ("python", "imports", "first", "whole")}
    with tempfile.TemporaryDirectory() as folder:
        root = workload.make_project(Path(folder) / "one", 1)
        for number in range(rounds + 1):
            python, _, _ = run_process("pass", cwd=root)
            imports, _, _ = run_process("import openai, pydantic", cwd=root)
            whole, _, out = run_process(FIRST_RESULT, "run", "-q", cwd=root)
            first = next(float(line.split()[-1]) for line in out.splitlines() if line.startswith("first result"))
            if number:
                for name, spent in zip(times, (python, imports, first, whole), strict=True):
                    times[name].append(spent)
    print(f"`harness run` of one scenario; {rounds} rounds; processor time")
    print(f"  python                            {min(times['python']) * 1e3:6.0f} ms")
    print(f"  python, the SDK and pydantic      {min(times['imports']) * 1e3:6.0f} ms")
    for name, words in (("first", "to the first result"), ("whole", "to its end, with report")):
        print(f"  {words:33} {min(times[name]) * 1e3:6.0f} ms   {ratio(times[name], times['imports'])} x that")


def measure_waiting(rounds: int) -> None:
    """Print the part ``waiting``."""
    del rounds
    waiting.main()


PARTS = {"sample": measure_samples, "cold": measure_cold, "start": measure_start, "waiting": measure_waiting}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a replay costs, as multiples of what the SDK itself takes.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    for part in arguments.parts or PARTS:
        PARTS[part](arguments.rounds)


if __name__ == "__main__":
    main()
