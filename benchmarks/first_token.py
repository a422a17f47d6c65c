"""How long the first piece of a stream takes: directly, while we record, and while stock vcrpy records.

    python benchmarks/first_token.py [ROUNDS]

A server on loopback sends ten events, 20 ms apart, the first one 20 ms after the request. For each client the three are
measured in turns, so that what the machine does besides falls on all of them. Prints the medians and, against the
direct call of the same run, their ratios: near 1.0 means that recording holds nothing up.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import vcr

from harness.cassettes import RecordSession, intercepted, routed
from harness.seams import SystemClock
from tests.cassettes.test_streams import CLIENTS, Reader

PAUSE, EVENTS = 0.02, 10


class Paced(BaseHTTPRequestHandler):
    """A stream of events at a steady pace."""

    protocol_version = "HTTP/1.1"

    def log_message(self, template: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(EVENTS):
            time.sleep(PAUSE)
            event = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")


@contextmanager
def paced_server() -> Iterator[str]:
    """The server, running."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Paced)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def recorded() -> Iterator[None]:
    """While we record."""
    with routed(RecordSession(clock=SystemClock(), journal=None)):
        yield


def first_token(name: str, url: str, around: AbstractContextManager[object]) -> float:
    """Seconds until the first piece was there."""
    reader = Reader()
    with around:
        began = time.perf_counter()
        CLIENTS[name](url, reader)
    return reader.seen[0][1] - began


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    numbers = count()
    with tempfile.TemporaryDirectory() as folder, paced_server() as url:
        ways: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "direct": nullcontext,
            "recorded": recorded,
            "vcrpy": lambda: vcr.use_cassette(f"{folder}/{next(numbers)}.yaml"),
        }
        print(f"{'client':14} {'direct':>9} {'recorded':>9} {'vcrpy':>9}   recorded/direct   vcrpy/direct")
        for name in CLIENTS:
            found: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(rounds + 1):
                for way, around in ways.items():
                    with intercepted() if way == "recorded" else nullcontext():
                        found[way].append(first_token(name, url, around()))
            medians = {way: statistics.median(times[1:]) for way, times in found.items()}  # the first one warms up
            shown = " ".join(f"{medians[way] * 1e3:6.1f} ms" for way in ways)
            ours, theirs = (medians[way] / medians["direct"] for way in ("recorded", "vcrpy"))
            print(f"{name:14} {shown}   {ours:15.2f}   {theirs:12.2f}")


if __name__ == "__main__":
    main()
