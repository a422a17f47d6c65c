"""The samples of ``workload.py`` through one tool, measured beside their floor; ``compare_tools.py`` runs it.

    python compare_samples.py TOOL FOLDER

Runs in an environment that has the tool and the SDK; ours is in that of this project only. In FOLDER lie
``workload_agent.py`` and ``samples.json``, the questions and the model's reply to each request. Prints the processor's
seconds as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("SAMPLES") or sys.argv[2])
sys.path.insert(0, str(FOLDER))

import httpx2  # noqa: E402 - the agent lies in the folder
import workload_agent  # noqa: E402
from openai import AsyncOpenAI  # noqa: E402

SAMPLES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
QUESTIONS: list[str] = SAMPLES["questions"]
REPLIES = {request.encode(): reply.encode() for request, reply in SAMPLES["replies"].items()}
WANTED = "Red Van"


def mock_client() -> AsyncOpenAI:
    """The SDK over a transport in memory."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=REPLIES[request.content])

    return AsyncOpenAI(
        api_key="simulated", max_retries=0, http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    )


def run_floor() -> None:
    """All samples with one client on one loop, and nothing else."""

    async def answer_all() -> None:
        async with mock_client() as client:
            for question in QUESTIONS:
                assert WANTED in await workload_agent.answer(client, question)

    asyncio.run(answer_all())


def run_pydantic_evals() -> None:
    """A dataset with one evaluator, over the transport in memory: it records nothing itself."""
    from pydantic_evals import Case, Dataset
    from pydantic_evals.evaluators import Contains

    client = mock_client()

    async def answer(question: str) -> str:
        return await workload_agent.answer(client, question)

    cases: list[Any] = [Case(name=question, inputs=question) for question in QUESTIONS]
    dataset = Dataset(name="desk", cases=cases, evaluators=[Contains(value=WANTED)])
    report = dataset.evaluate_sync(answer, max_concurrency=1, progress=False)
    assert all(each.value for case in report.cases for each in case.assertions.values())
    (FOLDER / "pydantic-evals.txt").write_text(report.render(), encoding="utf-8")


def run_inspect() -> None:
    """A task with its own agent loop, its two tools and a scorer, over its mock model: no SDK and no HTTP at all."""
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageUser, ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate, system_message, use_tools
    from inspect_ai.tool import tool

    def wrapped(name: str, parameter: str) -> Any:
        function, _ = workload_agent.TOOLS[name]

        async def execute(**arguments: str) -> str:
            return json.dumps(function(**arguments))

        source = (
            f"async def execute({parameter}: str) -> str:\n"
            f'    """{function.__doc__}\n\n    Args:\n        {parameter}: What to look up.\n    """\n'
            f"    return await run({parameter}={parameter})\n"
        )
        made: dict[str, Any] = {"run": execute}
        exec(source, made)
        return tool(name=name)(lambda: made["execute"])()

    def reply(messages: list[Any], *_: Any) -> ModelOutput:
        question = next(each.text for each in messages if isinstance(each, ChatMessageUser))
        number = question.split("order ")[1].split("?")[0]
        turn = sum(each.role == "assistant" for each in messages)
        calls = [("find_order", {"order_id": number}), ("read_policy", {"subject": f"lost parcels, order {number}"})]
        if turn < len(calls):
            output = ModelOutput.for_tool_call("mockllm", *calls[turn])
        else:
            output = ModelOutput.from_content("mockllm", f"Order {number} is on its way with {WANTED}.")
        output.usage = ModelUsage(input_tokens=2000, output_tokens=40, total_tokens=2040)
        return output

    task = Task(
        dataset=MemoryDataset([Sample(input=question, target=WANTED) for question in QUESTIONS]),
        solver=[
            system_message(workload_agent.SYSTEM),
            use_tools(wrapped("find_order", "order_id"), wrapped("read_policy", "subject")),
            generate(),
        ],
        scorer=includes(),
    )
    (log,) = eval(
        task,
        model=get_model("mockllm/model", custom_outputs=reply, memoize=False),
        display="none",
        log_dir=str(FOLDER / "inspect-logs"),
        max_samples=1,
    )
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1


def run_harness() -> None:
    """The samples as scenarios of a project: replayed, their traces read and scored, compared and reported."""
    from harness import pipeline
    from harness.settings import placehold_keys

    placehold_keys()
    project = pipeline.open_project([FOLDER / "project"])
    with pipeline.go_offline(project):
        run = pipeline.run_cases(pipeline.Plan(project), pipeline.gather_cases(project, []))
    results = pipeline.compare_with_baseline(project, run)
    assert [case.outcome for case in results.cases] == ["passed"] * len(QUESTIONS)
    facts = pipeline.collect_facts(argv=[], mode="replay", concurrency=1, started_at="", seconds=0)
    pipeline.write_report(project.reports / "latest", results, facts)


def run_pytest(*arguments: str) -> Callable[[], None]:
    """The tests of the folder; what is measured is their own run, without pytest's start."""

    def run() -> None:
        import pytest

        assert pytest.main(["-q", "-p", "no:cacheprovider", *arguments, str(FOLDER)]) == 0

    return run


def seconds(block: Callable[[], object]) -> float:
    """The processor's seconds that a block takes."""
    gc.collect()
    began = time.process_time()
    block()
    return time.process_time() - began


TOOLS: dict[str, Callable[[], None]] = {
    "pydantic-evals": run_pydantic_evals,
    "inspect-ai": run_inspect,
    "harness": run_harness,
    "pytest": run_pytest(),
    "marker": run_pytest("--record-mode=none"),
}

if __name__ == "__main__":
    block = TOOLS[sys.argv[1]]
    run_floor()  # the first of each warms up
    if sys.argv[1] not in ("pytest", "marker"):
        block()
    floor = min(seconds(run_floor) for _ in range(2))
    taken = seconds(block)
    noted = FOLDER / "taken.txt"
    if noted.is_file():
        taken = float(noted.read_text(encoding="utf-8"))
    floor = min(floor, *(seconds(run_floor) for _ in range(2)))
    print(json.dumps({"floor": floor, "taken": taken}))
