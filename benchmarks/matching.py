"""What finding the recorded answer costs in a large cassette, against a small one, with vcrpy and cassetter beside it.

    python benchmarks/matching.py [EXCHANGES]

Writes cassettes of 10 and of that many exchanges (1,000) with requests of 4 KB, and asks for every answer once. Prints
the processor time per exchange in each, and their ratio: near 1.0 means that the cost does not grow with the size.

- *exact*: the bytes of the recording; *backwards*: the same, the last request first; *canonical*: the same said
  otherwise (spacing, key order, another id for each tool call); *repeated*: one request over and over; *growing*: one
  conversation, each request holds all before it, so the cost is given per 4 KB.
- With loading, the file is read as well.
- vcrpy compares method, URI and body, and scans: of its large cassette only some requests are asked for. cassetter
  compares the same, and takes part where it is installed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vcr.cassette import Cassette as VcrCassette
from vcr.matchers import body as vcr_body
from vcr.matchers import method as vcr_method
from vcr.matchers import uri as vcr_uri
from vcr.record_mode import RecordMode
from vcr.request import Request as VcrRequest

from harness.cassettes import load_cassette, save_cassette
from harness.cassettes.matching import Index
from harness.records.exchange import Cassette, CassetteMetadata, Exchange, HttpRequest, HttpResponse

URI = "https://api.openai.com/v1/chat/completions"
SMALL, ROUNDS, ASKED = 10, 7, 10
HEADERS = (
    ("host", "api.openai.com"),
    ("accept-encoding", "gzip, deflate"),
    ("connection", "keep-alive"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "OpenAI/Python 3.0.0"),
    ("x-stainless-lang", "python"),
    ("x-stainless-retry-count", "0"),
    ("openai-beta", "responses=v1"),
    ("authorization", "Bearer any"),
    ("content-length", "4096"),
)
"""What an SDK sends."""
KEPT = tuple((name, value) for name, value in HEADERS if name in ("accept", "content-type", "openai-beta"))
REPLY = json.dumps({"choices": [{"message": {"role": "assistant", "content": "Yes. " * 60}}], "usage": {}}).encode()
FIRST = [{"role": "system", "content": "Be polite. " * 150}]


def call(number: int, minted: str) -> list[dict[str, Any]]:
    """A user's question, a tool call and its result."""
    function = {"name": "find_order", "arguments": json.dumps({"order_id": str(number)})}
    call_id = f"call_{minted}_{number}"
    return [
        {"role": "user", "content": f"Where is order {number}? " + "Please. " * 60},
        {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call_id, "content": json.dumps({"status": "shipped", "notes": "x" * 500})},
    ]


def bodies(case: str, count: int, minted: str = "a") -> list[dict[str, Any]]:
    """The requests of one case."""
    parameters = {"type": "object", "properties": {"order_id": {"type": "string", "description": "digits " * 30}}}
    tools = [{"type": "function", "function": {"name": name, "parameters": parameters}} for name in ("find", "refund")]
    found: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for number in range(count):
        fresh = call(0 if case == "repeated" else number, minted)
        said = [*said, *fresh] if case == "growing" else fresh
        found.append({"model": "gpt-5-mini", "messages": [*FIRST, *said], "tools": tools})
    return found


def written(body: dict[str, Any], *, otherwise: bool = False) -> bytes:
    """A body as an SDK writes it, or said otherwise."""
    return json.dumps(dict(reversed(body.items())), indent=1).encode() if otherwise else json.dumps(body).encode()


class Sample:
    """A cassette of one size, in each tool's own file, and the requests that are sent to it."""

    def __init__(self, folder: Path, case: str, count: int) -> None:
        recorded = [written(body) for body in bodies(case, count)]
        other = case == "canonical"
        minted = "b" if other else "a"
        self.sent = [written(body, otherwise=other) for body in bodies(case, count, minted)]
        if case == "backwards":
            self.sent.reverse()
        self.weight = sum(map(len, recorded)) / 4_000 if case == "growing" else count
        self.file = folder / f"{case}-{count}.yaml"
        response = HttpResponse(status=200, headers=(("content-type", "application/json"),), body=REPLY)
        requests = [HttpRequest(method="POST", uri=URI, headers=KEPT, body=body) for body in recorded]
        metadata = CassetteMetadata(
            scenario="a", case="default", trial=1, recorded_at="2026-03-01T10:00:00Z", recorded_from="benchmark"
        )
        exchanges = tuple(Exchange(request=request, response=response) for request in requests)
        save_cassette(self.file, Cassette(metadata=metadata, exchanges=exchanges))
        self.cassetter = save_for_cassetter(self.file.with_suffix(".other.yaml"), recorded)


def ask_ours(sample: Sample) -> tuple[float, float]:
    """Processor seconds per exchange: finding all answers; the same with loading."""
    begun = time.process_time()
    exchanges = load_cassette(sample.file).exchanges
    loaded = time.process_time()
    index = Index(exchanges, ())
    for body in sample.sent:
        assert index.take(HttpRequest(method="POST", uri=URI, headers=HEADERS, body=body)) is not None
    ended = time.process_time()
    return (ended - loaded) / sample.weight, (ended - begun) / sample.weight


def ask_vcrpy(sample: Sample) -> tuple[float, float]:
    """The same by vcrpy; of its large cassette only some requests, evenly spread."""
    begun = time.process_time()
    cassette = VcrCassette.load(
        path=str(sample.file), record_mode=RecordMode.NONE, match_on=(vcr_method, vcr_uri, vcr_body)
    )
    loaded = time.process_time()
    chosen = sample.sent[:: max(1, len(sample.sent) // ASKED)]
    for body in chosen:
        cassette.play_response(VcrRequest("POST", URI, body, {"content-type": "application/json"}))
    each = (time.process_time() - loaded) / len(chosen)
    return each, each + (loaded - begun) / len(sample.sent)


def save_for_cassetter(file: Path, recorded: Iterable[bytes]) -> Any:
    """The same exchanges in cassetter's own file; its loader, or None where it is not installed."""
    try:
        import cassetter
    except ImportError:
        return None
    headers = {"content-type": ["application/json"]}
    cassette = cassetter.Cassette(str(file), record_mode=cassetter.RecordMode.ALL)
    cassette.load()
    for body in recorded:
        cassette.record("POST", URI, headers, body, 200, headers, REPLY)
    cassette.save()
    config = cassetter.MatchConfig(match_on=["method", "uri", "body"])
    return lambda: cassetter.Cassette(str(file), record_mode=cassetter.RecordMode.NONE, match_config=config)


def ask_cassetter(sample: Sample) -> tuple[float, float]:
    """The same by cassetter."""
    begun = time.process_time()
    cassette = sample.cassetter()
    cassette.load()
    loaded = time.process_time()
    for body in sample.sent:
        cassette.play("POST", URI, {"content-type": ["application/json"]}, body)
    ended = time.process_time()
    return (ended - loaded) / sample.weight, (ended - begun) / sample.weight


def compare(name: str, ask: Callable[[Sample], tuple[float, float]], small: Sample, large: Sample) -> None:
    """Both sizes in turns; the least of each is what the machine's other work disturbed least."""
    rounds = 1 if ask is ask_vcrpy else ROUNDS
    times = max(1, min(100, len(large.sent) // len(small.sent)))
    pairs = [(mean(ask, small, times), ask(large)) for _ in range(rounds)]
    for what, at in (("matching", 0), ("with loading", 1)):
        few, many = min(pair[0][at] for pair in pairs), min(pair[1][at] for pair in pairs)
        print(f"  {name:<10} {what:<13} {few * 1e6:>10.1f} µs {many * 1e6:>12.1f} µs   ratio {many / few:.2f}")


def mean(ask: Callable[[Sample], tuple[float, float]], sample: Sample, times: int) -> tuple[float, ...]:
    """A small cassette is asked several times, so that both sizes are measured for about as long."""
    return tuple(sum(each) / times for each in zip(*(ask(sample) for _ in range(times)), strict=True))


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    count = int(arguments[0]) if arguments else 1_000
    with tempfile.TemporaryDirectory() as folder:
        for case in ("exact", "backwards", "canonical", "repeated", "growing"):
            many = count // 5 if case == "growing" else count
            small, large = Sample(Path(folder), case, SMALL), Sample(Path(folder), case, many)
            print(f"{case}: {SMALL} and {many:,} exchanges")
            compare("ours", ask_ours, small, large)
            if case == "exact":  # neither knows ids; what is said otherwise is another request to them
                compare("vcrpy", ask_vcrpy, small, large)
                if small.cassetter is not None:
                    compare("cassetter", ask_cassetter, small, large)
                else:
                    print("  cassetter is not installed: uv pip install cassetter")


if __name__ == "__main__":
    main(sys.argv[1:])
