"""A replay reaches nobody: a hostile agent tries every way out, a listener hears nothing, and each attempt is named."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cassettes import save_cassette
from harness.records.exchange import Cassette, CassetteMetadata
from tests.project import MiniProject

HOSTILE = """\
import asyncio
import atexit
import http.client
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import urllib.request

import harness

PORT = int(os.environ["LISTENER"])
PLACE = ("127.0.0.1", PORT)


def connect():
    with socket.socket() as sock:
        sock.settimeout(5)
        sock.connect(PLACE)


def connect_ex():
    with socket.socket() as sock:
        sock.connect_ex(PLACE)


def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"out", PLACE)


def message():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"out"], [], 0, PLACE)


def lookup():
    socket.getaddrinfo("exfiltrated.example.com", 443)


def old_lookup():
    socket.gethostbyname("exfiltrated.example.com")


def thread():
    one = threading.Thread(target=quietly, args=(connect,))
    one.start()
    one.join()


def pool():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as executor:
        executor.submit(quietly, connect).result()


def new_loop():
    async def open_one():
        await asyncio.open_connection(*PLACE)

    one = threading.Thread(target=lambda: quietly(lambda: asyncio.run(open_one())))
    one.start()
    one.join()


def other_library():
    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5)


def plain_http():
    http.client.HTTPConnection(*PLACE, timeout=5).connect()


def fork():
    child = multiprocessing.get_context("fork").Process(target=quietly, args=(connect,))
    child.start()
    child.join()


def child():
    code = f"import socket; socket.create_connection({PLACE!r}, timeout=5)"
    subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.DEVNULL)


def quietly(way):
    try:
        way()
    except BaseException:  # as careless as an agent can be
        pass


if os.environ.get("AT_IMPORT"):
    quietly(connect)
if os.environ.get("AT_EXIT"):
    atexit.register(connect)


@harness.subject("hostile")
def hostile(task):
    quietly(globals()[task.settings["way"]])
    return "done"


@harness.subject("hostile-loop")
async def hostile_loop(task):
    try:
        await asyncio.open_connection(*PLACE)
    except BaseException:
        pass
    return "done"
"""
SCENARIO = """\
description: Tries to get out, and swallows what comes of it.
subject: {subject}
settings: {{way: {way}}}
input: Go
expect:
  - output: {{equals: done}}
"""
WAYS = {
    "connect": "a connection to",
    "connect_ex": "a connection to",
    "datagram": "a datagram to",
    "message": "a datagram to",
    "lookup": "the lookup of exfiltrated.example.com:443",
    "old_lookup": "the lookup of exfiltrated.example.com",
    "thread": "a connection to",
    "pool": "a connection to",
    "new_loop": "a connection to",
    "other_library": "plain http.client",
    "plain_http": "a connection to",
}


class Listener:
    """Counts whoever comes, over TCP and UDP."""

    def __init__(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.heard: list[str] = []

    def listen(self, sock: socket.socket) -> None:
        """Note each visitor until the socket is closed."""
        while True:
            try:
                if sock is self.tcp:
                    sock.accept()[0].close()
                elif sock.recv(100) == b"end":
                    return
            except OSError:
                return
            self.heard.append("tcp" if sock is self.tcp else "udp")


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener for as long as the context lasts."""
    listener = Listener()
    threads = [threading.Thread(target=listener.listen, args=(sock,)) for sock in (listener.tcp, listener.udp)]
    for thread in threads:
        thread.start()
    try:
        yield listener
    finally:
        listener.tcp.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", ("127.0.0.1", listener.port))
        for thread in threads:
            thread.join()
        listener.tcp.close()
        listener.udp.close()


def write(root: Path, *ways: str, settings: str = "") -> MiniProject:
    """A project with a scenario for each way out, recorded as an agent that asked nobody."""
    project = MiniProject(root).write({"pyproject.toml": f"[tool.harness]\n{settings}", "conftest.py": HOSTILE})
    for way in ways:
        name = way.replace("_", "-")
        subject = "hostile-loop" if way == "own_loop" else "hostile"
        project.write({f"scenarios/{name}.yaml": SCENARIO.format(subject=subject, way=way)})
        metadata = CassetteMetadata(
            scenario=name, case="default", trial=1, recorded_at="2026-03-01T10:00:00Z", recorded_from="a test"
        )
        save_cassette(root / f"cassettes/{name}/default/1.yaml", Cassette(metadata=metadata, exchanges=()))
    return project


def test_no_way_out(tmp_path: Path) -> None:
    """Sockets, datagrams, names, threads, loops and other libraries: nobody is reached, each trial fails by name."""
    project = write(tmp_path, *WAYS, "own_loop")
    with listening() as listener:
        done = project.harness("run", "-v", LISTENER=str(listener.port))
        under_pytest = project.pytest("scenarios", LISTENER=str(listener.port))
    assert listener.heard == []
    assert done.code == 1, done.text
    reasons = {trial["scenario"].replace("-", "_"): trial["reason"] for trial in project.results()["trials"]}
    assert reasons.keys() == {*WAYS, "own_loop"}
    for way, reason in reasons.items():
        assert WAYS.get(way, "a connection to") in reason, (way, reason)
    assert f'allowed_hosts = ["127.0.0.1:{listener.port}"]' in reasons["connect"]
    assert under_pytest.code == 1
    assert f"{len(WAYS) + 1} failed" in under_pytest.out


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child(tmp_path: Path) -> None:
    """It is as tightly sealed as its parent."""
    project = write(tmp_path, "fork")
    with listening() as listener:
        project.harness("run", LISTENER=str(listener.port), PYTHONWARNINGS="ignore")
    assert listener.heard == []


def test_at_import_and_at_exit(tmp_path: Path) -> None:
    """What a conftest or its libraries try when they are imported, or when the process ends, is refused and named."""
    project = write(tmp_path, "connect")
    with listening() as listener:
        place = f"a connection to 127.0.0.1:{listener.port} would leave the process"
        at_import = project.harness("run", LISTENER=str(listener.port), AT_IMPORT="1")
        at_exit = project.harness("run", LISTENER=str(listener.port), AT_EXIT="1")
    assert listener.heard == []
    assert f"refused: {place}" in at_import.err
    assert "atexit" in at_exit.err
    assert place in at_exit.err


def test_a_declared_service_is_reached(tmp_path: Path) -> None:
    """A host with its port that is declared exactly is let through, by its name too; another port is not."""
    with listening() as listener:
        project = write(tmp_path, "connect", settings=f'allowed_hosts = ["127.0.0.1:{listener.port}"]\n')
        assert project.harness("run", LISTENER=str(listener.port)).code == 0
        assert listener.heard == ["tcp"]
        project.edit("conftest.py", 'PLACE = ("127.0.0.1", PORT)', 'PLACE = ("localhost", PORT)')
        assert project.harness("run", LISTENER=str(listener.port)).code == 1
        project.write({"pyproject.toml": f'[tool.harness]\nallowed_hosts = ["localhost:{listener.port}"]\n'})
        assert project.harness("run", LISTENER=str(listener.port)).code == 0
        project.write({"pyproject.toml": '[tool.harness]\nallowed_hosts = ["localhost"]\n'})
        refused = project.harness("run", LISTENER=str(listener.port))
    assert listener.heard == ["tcp", "tcp"]
    assert refused.code == 2
    assert "must list hosts with their ports" in refused.err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has network namespaces")
def test_isolated(tmp_path: Path) -> None:
    """A child process gets out of a plain replay, which the docs say; in an isolated one nobody is there."""
    project = write(tmp_path, "child")
    with listening() as listener:
        assert project.harness("run", LISTENER=str(listener.port)).code == 0
        assert listener.heard == ["tcp"]
        isolated = project.harness("run", "--isolated", LISTENER=str(listener.port))
    if "the system refuses" in isolated.err:
        assert isolated.code == 2
        pytest.skip("this system gives no network namespaces; the command says so")
    assert isolated.code == 0, isolated.text
    assert "isolated: nothing but this process can be reached" in isolated.out
    assert listener.heard == ["tcp"]


def test_isolated_is_for_replays(tmp_path: Path) -> None:
    """A live run needs the network, so the two exclude each other."""
    done = write(tmp_path, "child").harness("run", "--isolated", "--mode", "live", LISTENER="1")
    assert done.code == 2
    assert "--isolated is for replays" in done.err


@pytest.mark.parametrize("door", ["harness", "pytest"])
def test_a_cassette_that_a_conftest_holds_open(desk: MiniProject, door: str) -> None:
    """One of vcrpy's that was opened long before the trial is found: the trial is refused, and nothing taken over."""
    held = "import harness\nimport vcr\n\nheld = vcr.use_cassette('theirs.yaml')\nheld.__enter__()\n"
    desk.edit("conftest.py", "import harness\n", held)
    done = desk.harness("run") if door == "harness" else desk.pytest("scenarios")
    assert done.code != 0, done.text
    (trial,) = desk.results()["trials"]
    assert trial["outcome"] == "errored"
    assert "a vcr cassette is open around this trial" in trial["reason"]
