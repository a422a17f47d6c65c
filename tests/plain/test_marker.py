"""The marker and fixture ``vcr`` in a user's own test functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import MiniProject

ASK = """\
import os
import httpx2
import pytest

def ask(path="a", **json):
    return httpx2.post(os.environ["URL"] + "/" + path, json=json).json()["n"]
"""


def test_recorded_once_then_replayed(project: MiniProject, server: Any) -> None:
    """`rewrite` records a marked test; from then on it replays, with nothing sent, and others are left alone."""
    project.write(
        {
            "tests/test_it.py": ASK
            + """
@pytest.mark.vcr
def test_it(vcr):
    assert (ask(q=1), ask(q=2)) == (1, 2)
    assert len(vcr) == 2

def test_other():
    assert httpx2.HTTPTransport.handle_request.__module__.startswith("httpx2")
"""
        }
    )
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    assert server.count == 2
    done = project.pytest("-q", URL=server.url)
    assert "2 passed" in done.out, done.text
    assert server.count == 2
    assert cassettes(project) == ["tests/cassettes/test_it/test_it.yaml"]


def test_nothing_is_sent_by_default(project: MiniProject, server: Any) -> None:
    """Without a recording a marked test fails, and the command that records it is named."""
    project.write({"test_it.py": ASK + "\n@pytest.mark.vcr\ndef test_it():\n    ask()\n"})
    done = project.pytest("-q", URL=server.url)
    assert done.code == 1
    assert "unrecorded: cassettes/test_it/test_it.yaml does not exist" in done.out
    assert "run: pytest test_it.py::test_it --record-mode=rewrite" in done.out
    assert server.count == 0
    assert not (project.root / "cassettes").exists()


@pytest.mark.parametrize("swallow", ["", "    except BaseException:\n        return\n"])
def test_a_changed_request_fails(project: MiniProject, server: Any, swallow: str) -> None:
    """A changed body has no answer, whatever the code makes of the error; what differs and the command are named."""
    body = "    ask(q=1)\n" if not swallow else f"    try:\n        ask(q=1)\n{swallow}"
    project.write({"test_it.py": f"{ASK}\n@pytest.mark.vcr\ndef test_it():\n{body}"})
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    done = project.edit("test_it.py", "ask(q=1)", "ask(q=2)").pytest("-q", URL=server.url)
    assert done.code == 1
    assert "`POST /a`: its body differs" in done.out
    assert "call 1 of cassettes/test_it/test_it.yaml" in done.out
    assert "run: pytest test_it.py::test_it --record-mode=rewrite" in done.out
    assert server.count == 1


def test_tried_again_it_fails_again(project: MiniProject, server: Any) -> None:
    """A plugin that runs a failed test a second time finds the same miss, not a pass."""
    again = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, log=False, nextitem=nextitem)
    item._initrequest()
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
    body = "    try:\n        ask()\n    except BaseException:\n        pass\n"
    project.write({"conftest.py": again, "test_it.py": f"{ASK}\n@pytest.mark.vcr\ndef test_it():\n{body}"})
    done = project.pytest("-q", URL=server.url)
    assert "1 failed" in done.out, done.text


def test_names_of_files(project: MiniProject, server: Any) -> None:
    """Cassettes lie where pytest-recording puts them: by module, class, parameters and `default_cassette`."""
    long = "x" * 300
    project.write(
        {
            "tests/test_it.py": ASK
            + f"""
@pytest.mark.vcr
class TestAll:
    @pytest.mark.parametrize("x", ["a/b", "c:d"])
    def test_it(self, x):
        ask(q=x)

@pytest.mark.vcr
@pytest.mark.default_cassette("mine.yaml")
def test_named():
    ask()

@pytest.mark.vcr
@pytest.mark.default_cassette("{long}")
def test_long():
    ask()
"""
        }
    )
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    assert "4 passed" in project.pytest("-q", URL=server.url).out
    *others, last = cassettes(project)
    assert others == [
        "tests/cassettes/test_it/TestAll.test_it[a-b].yaml",
        "tests/cassettes/test_it/TestAll.test_it[c-d].yaml",
        "tests/cassettes/test_it/mine.yaml",
    ]
    assert len(Path(last).name) == 255


def test_every_kind_of_test(project: MiniProject, server: Any) -> None:
    """Async tests, fixtures that ask, threads without context, unittest classes: all are in their test's cassette."""
    project.write(
        {
            "test_it.py": ASK
            + """
import threading, unittest

pytestmark = pytest.mark.vcr

@pytest.fixture
def asked():
    yield ask(q="before")
    ask(q="after")

def test_fixture(asked):
    ask(q="within")

@pytest.mark.asyncio
async def test_async():
    async with httpx2.AsyncClient() as client:
        await client.get(os.environ["URL"] + "/async")

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(anyio_backend):
    async with httpx2.AsyncClient() as client:
        await client.get(os.environ["URL"] + "/anyio")

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio_again(anyio_backend):
    async with httpx2.AsyncClient() as client:
        await client.get(os.environ["URL"] + "/anyio")

def test_thread():
    thread = threading.Thread(target=ask, kwargs={"q": "thread"})
    thread.start()
    thread.join()

class TestUnit(unittest.TestCase):
    def test_unit(self):
        ask(q="unit")
"""
        }
    )
    done = project.pytest("-q", "--record-mode=rewrite", URL=server.url)
    assert done.code == 0, done.text
    assert server.count == 8
    done = project.pytest("-q", URL=server.url)
    assert done.code == 0, done.text
    assert server.count == 8
    counts = {Path(name).stem: held(project, name) for name in cassettes(project)}
    assert counts == {
        "TestUnit.test_unit": 1,
        "test_anyio[asyncio]": 1,
        "test_anyio_again[asyncio]": 1,
        "test_async": 1,
        "test_fixture": 3,
        "test_thread": 1,
    }


def test_every_client(project: MiniProject, server: Any) -> None:
    """What goes over httpx, requests, urllib3 and aiohttp is recorded and replayed; plain http.client is named."""
    project.write(
        {
            "test_it.py": ASK
            + """
import urllib.request
import aiohttp, httpx, requests, urllib3

pytestmark = pytest.mark.vcr
URL = os.environ["URL"] + "/a"

def test_sync():
    assert httpx.get(URL).status_code == requests.get(URL).status_code == urllib3.request("GET", URL).status == 200

@pytest.mark.asyncio
async def test_async():
    async with aiohttp.ClientSession() as client, client.post(URL, json={"q": 1}) as response:
        assert (await response.json())["path"] == "/a"

def test_bare():
    urllib.request.urlopen(URL)
"""
        }
    )
    done = project.pytest("-q", "--record-mode=rewrite", URL=server.url)
    assert "1 failed, 2 passed" in done.out, done.text
    assert "sent by plain http.client" in done.out
    assert server.count == 4
    assert "1 failed, 2 passed" in project.pytest("-q", URL=server.url).out
    assert server.count == 4


def test_further_cassettes(project: MiniProject, server: Any) -> None:
    """`vcr("a.yaml", "/b.yaml")` plays further files, relative to the module's folder or absolute."""
    project.write({"test_it.py": ASK + "\n@pytest.mark.vcr\ndef test_it():\n    ask(q=1)\n    ask(q=2)\n"})
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    shared = project.root / "cassettes/test_it/test_it.yaml"
    shared.rename(shared.with_name("shared.yaml"))
    project.edit("test_it.py", "vcr\n", "vcr('shared.yaml')\n").edit("test_it.py", "    ask(q=2)\n", "")
    assert project.pytest("-q", URL=server.url).code == 0
    project.edit("test_it.py", "'shared.yaml'", f"{str(shared.with_name('shared.yaml'))!r}")
    assert project.pytest("-q", URL=server.url).code == 0
    assert server.count == 2


def test_what_was_not_asked_for_fails(project: MiniProject, server: Any) -> None:
    """A recorded exchange that a passing test leaves out is an error, unless the test says that it may be."""
    project.write({"test_it.py": ASK + "\n@pytest.mark.vcr\ndef test_it():\n    ask(q=1)\n    ask(q=2)\n"})
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url).code == 0
    done = project.edit("test_it.py", "    ask(q=2)\n", "").pytest("-q", URL=server.url)
    assert done.code == 1
    assert "1 of 2 recorded exchanges was not asked for" in done.out
    project.edit("test_it.py", "mark.vcr\n", "mark.vcr(allow_unplayed=True)\n")
    assert project.pytest("-q", URL=server.url).code == 0


def test_skipped_expected_and_failing_tests_stay_what_they_are(project: MiniProject, server: Any) -> None:
    """A skip, an expected failure and a failure of another kind are reported as ever."""
    project.write(
        {
            "test_it.py": ASK
            + """
pytestmark = pytest.mark.vcr

def test_skipped():
    pytest.skip("not now")

@pytest.mark.xfail(strict=True)
def test_expected():
    ask()

def test_failing():
    assert 1 == 2
"""
        }
    )
    done = project.pytest("-q", URL=server.url)
    assert "1 failed, 1 skipped, 1 xfailed" in done.out, done.text
    assert "assert 1 == 2" in done.out


def cassettes(project: MiniProject) -> list[str]:
    """The files of a project below any folder `cassettes`."""
    return sorted(str(file.relative_to(project.root)) for file in project.root.rglob("cassettes/**/*.*"))


def held(project: MiniProject, name: str) -> int:
    """How many exchanges a file holds."""
    return len(yaml.safe_load((project.root / name).read_text())["interactions"])
