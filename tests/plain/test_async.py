"""Async tests that ask for something else: one failure each, and their fixtures end, whatever runs them."""

from __future__ import annotations

import pytest

from tests.project import MiniProject

CONFTEST = """\
import httpx2
import pytest

clients = []


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def client(request):
    async with httpx2.AsyncClient(base_url="https://api.example.com") as client:
        clients.append(client)
        yield client


@pytest.fixture
def opened():
    return clients
"""
PLUGINS = {
    "anyio": ("anyio", ["-p", "no:asyncio"]),
    "anyio beside pytest-asyncio": ("anyio", []),
    "pytest-asyncio": ("asyncio", ["-p", "no:anyio", "-o", "asyncio_mode=auto"]),
}
BODIES = {
    "awaited": 'await client.post("/x", json={"a": 2})',
    "swallowed": 'try:\n        await client.post("/x", json={"a": 2})\n    except BaseException:\n        pass',
    "in anyio's group": (
        "async with anyio.create_task_group() as group:\n"
        '        group.start_soon(lambda: client.post("/x", json={"a": 2}))'
    ),
    "in asyncio's group": (
        "async with asyncio.TaskGroup() as group:\n"
        '        group.create_task(client.post("/x", json={"a": 2}))\n'
        '        group.create_task(client.post("/x", json={"a": 3}))'
    ),
    "gathered": 'await asyncio.gather(*(client.post("/x", json={"a": a}) for a in (2, 3)))',
}
OLD = """\
version: 1
interactions:
- request: {method: POST, uri: "https://api.example.com/x", headers: {}, body: '{"a":1}'}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: ok}}
"""


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("body", BODIES)
def test_a_changed_request_is_one_failure(project: MiniProject, plugin: str, body: str) -> None:
    """The change is named once, no error follows, and the client is closed when the next test runs."""
    marker, arguments = PLUGINS[plugin]
    test = f"@pytest.mark.{marker}\n@pytest.mark.vcr\nasync def test_it(client):\n    {BODIES[body]}\n"
    after = "def test_after(opened):\n    assert [client.is_closed for client in opened] == [True]\n"
    project.write(
        {
            "conftest.py": CONFTEST,
            "test_it.py": f"import asyncio\n\nimport anyio\nimport pytest\n\n\n{test}\n\n{after}",
            "cassettes/test_it/test_it.yaml": OLD,
        }
    )
    done = project.pytest("-q", *arguments)
    *_, last = done.out.splitlines()
    assert last.startswith("1 failed, 1 passed"), done.text
    assert "error" not in last
    assert "failed: `POST /x`: its body differs: a 1 → 2" in done.out
    assert "never retrieved" not in done.text


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_fixture_that_asks_is_one_error(project: MiniProject, plugin: str) -> None:
    """The same where an async fixture sent the request, before the test began."""
    marker, arguments = PLUGINS[plugin]
    fixture = '@pytest.fixture\nasync def login(client):\n    await client.post("/x", json={"a": 2})\n'
    test = f"@pytest.mark.{marker}\n@pytest.mark.vcr\nasync def test_it(login):\n    pass\n"
    after = "def test_after(opened):\n    assert [client.is_closed for client in opened] == [True]\n"
    project.write(
        {
            "conftest.py": CONFTEST,
            "test_it.py": f"import pytest\n\n\n{fixture}\n\n{test}\n\n{after}",
            "cassettes/test_it/test_it.yaml": OLD,
        }
    )
    *_, last = (done := project.pytest("-q", *arguments)).out.splitlines()
    assert last.startswith("1 passed"), done.text
    assert "1 error" in last
    assert "failed: `POST /x`: its body differs: a 1 → 2" in done.out


def test_another_error_of_a_group_stays(project: MiniProject) -> None:
    """A group of errors without a miss is the test's own affair."""
    body = "    async with anyio.create_task_group():\n        raise LookupError('mine')\n"
    test = f"@pytest.mark.anyio\n@pytest.mark.vcr\nasync def test_it(client):\n{body}"
    project.write({"conftest.py": CONFTEST, "test_it.py": f"import anyio\nimport pytest\n\n\n{test}"})
    done = project.pytest("-q", "-p", "no:asyncio")
    assert "LookupError: mine" in done.out, done.text
    assert "1 failed" in done.out
