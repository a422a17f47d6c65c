"""``--block-network`` and the marker ``block_network``."""

from __future__ import annotations

from typing import Any

from tests.plain.test_marker import ASK
from tests.project import MiniProject

TEST = ASK + "\ndef test_it():\n    ask()\n"


def test_blocked_by_the_flag(project: MiniProject, server: Any) -> None:
    """Nothing leaves, from a fixture of any scope either; the error names the host and the way through."""
    wide = "\n@pytest.fixture(scope='session', autouse=True)\ndef wide():\n    ask()\n"
    project.write({"test_it.py": TEST, "wide/test_wide.py": ASK + wide + "\ndef test_it():\n    pass\n"})
    done = project.pytest("-q", "--block-network", "--import-mode=importlib", URL=server.url)
    assert "1 failed, 1 error" in done.out, done.text
    assert "the network is blocked for host '127.0.0.1'" in done.out
    assert server.count == 0


def test_hosts_are_exact(project: MiniProject, server: Any) -> None:
    """An allowed host is a name or address, not a pattern; a name stands for the addresses that it resolves to."""
    project.write({"test_it.py": TEST})
    at_name = server.url.replace("127.0.0.1", "localhost")
    assert project.pytest("-q", "--block-network", "--allowed-hosts=127.0.0.1,other", URL=server.url).code == 0
    assert project.pytest("-q", "--block-network", "--allowed-hosts=localhost", URL=at_name).code == 0
    assert server.count == 2
    for hosts in ("127.0.0", ".*", "127.0.0.1.example", "localhos"):
        assert project.pytest("-q", "--block-network", f"--allowed-hosts={hosts}", URL=server.url).code == 1
    done = project.pytest("-q", "--block-network", "--allowed-hosts=openai.com", URL="http://api.openai.com.invalid")
    assert "blocked for host 'api.openai.com.invalid'" in done.out
    assert server.count == 2


def test_marker(project: MiniProject, server: Any) -> None:
    """The marker blocks one test; its hosts come before the flag's, and those of `vcr_config` are added."""
    config = "import pytest\n@pytest.fixture\ndef vcr_config():\n    return {'allowed_hosts': ['127.0.0.1']}\n"
    mark = "@pytest.mark.block_network(allowed_hosts=['other'])\ndef test_it"
    project.write({"test_it.py": TEST.replace("def test_it", mark) + "\ndef test_free():\n    ask()\n"})
    assert "1 failed, 1 passed" in project.pytest("-q", URL=server.url).out
    project.edit("test_it.py", "['other']", "['127.0.0.1']")
    assert project.pytest("-q", URL=server.url).code == 0
    project.edit("test_it.py", "(allowed_hosts=['127.0.0.1'])", "")
    assert "1 failed, 1 passed" in project.pytest("-q", URL=server.url).out
    assert project.write({"conftest.py": config}).pytest("-q", URL=server.url).code == 0
    project.edit("test_it.py", "block_network\n", "block_network('127.0.0.1')\n")
    done = project.pytest("-q", URL=server.url)
    assert "block_network takes allowed_hosts=[…] and nothing else" in done.text
    assert done.code != 0


def test_recording_goes_through(project: MiniProject, server: Any) -> None:
    """A marked test that records is not blocked; its replay needs no network."""
    project.write({"test_it.py": TEST.replace("def test_it", "@pytest.mark.vcr\ndef test_it")})
    assert project.pytest("-q", "--block-network", "--record-mode=once", URL=server.url).code == 0
    assert project.pytest("-q", "--block-network", URL=server.url).code == 0
    assert server.count == 1
