"""``vcr_config``, the marker's arguments and the hook do what vcrpy makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.plain.test_marker import ASK, cassettes
from tests.project import MiniProject

TEST = ASK + "\n@pytest.mark.vcr\ndef test_it():\n    ask(q=1)\n"
CONFIG = """\
import pytest

@pytest.fixture(scope="module")
def vcr_config():
    return {settings}
"""


def record(project: MiniProject, settings: str, test: str, url: str) -> str:
    """Record under these settings, see that it replays, and hand back the file."""
    project.write({"conftest.py": CONFIG.replace("{settings}", settings), "test_it.py": test})
    done = project.pytest("-q", "--record-mode=rewrite", URL=url)
    assert done.code == 0, done.text
    done = project.pytest("-q", URL=url)
    assert done.code == 0, done.text
    (name,) = cassettes(project)
    return (project.root / name).read_text()


def test_filters(project: MiniProject, server: Any) -> None:
    """Headers, query and body parameters are filtered before they are kept, and before they are compared."""
    test = """
import itertools, os, httpx2, pytest
@pytest.mark.vcr(filter_headers=[("openai-beta", "BETA")])
def test_it():
    number = os.urandom(4).hex()
    httpx2.post(
        f"{os.environ['URL']}/a?shown=1&fresh={number}",
        json={"fresh": number, "q": 1},
        headers={"openai-beta": number},
    )
"""
    settings = '{"filter_query_parameters": ["fresh"], "filter_post_data_parameters": [("fresh", "FILTERED")]}'
    (exchange,) = yaml.safe_load(record(project, settings, test, server.url))["interactions"]
    request = exchange["request"]
    assert request["uri"] == f"{server.url}/a?shown=1"
    assert yaml.safe_load(request["body"]) == {"fresh": "FILTERED", "q": 1}
    assert request["headers"]["openai-beta"] == ["BETA"]
    assert server.count == 1


def test_functions_of_the_user(project: MiniProject, server: Any) -> None:
    """`before_record_request` and `before_record_response` change what is kept, see all headers, or keep nothing."""
    settings = """dict(before_record_request=request, before_record_response=response)

def request(request):
    if "ping" in request.path:
        return None
    assert request.headers["User-Agent"].startswith("python-httpx")
    request.body = b'{"q": "changed"}'
    return request

def response(response):
    assert "Set-Cookie" in response["headers"]
    response["headers"]["Content-Type"] = ["text/plain"]
    if b"never" in response["body"]["string"]:
        return None
    response["body"]["string"] = response["body"]["string"].replace(b"path", b"road")
    return response
"""
    test = """
import os, httpx2, pytest
@pytest.mark.vcr
def test_it(vcr, record_mode):
    httpx2.get(os.environ["URL"] + "/ping")
    if record_mode == "rewrite":
        httpx2.get(os.environ["URL"] + "/never")
    answer = httpx2.post(os.environ["URL"] + "/a", json={"q": os.urandom(4).hex()})
    assert ("road" in answer.text) == (record_mode == "none")
    assert len(vcr) == 1
"""
    settings = settings.replace('if b"never"', "if response['status']['code'] == 200 and b\"never\"")
    (exchange,) = yaml.safe_load(record(project, settings, test, server.url))["interactions"]
    assert exchange["request"]["body"] == '{"q": "changed"}'
    assert exchange["response"]["headers"]["content-type"] == ["text/plain"]
    assert [path for _, path, _ in server.received] == ["/ping", "/never", "/a", "/ping"]


def test_ignored_hosts(project: MiniProject, server: Any) -> None:
    """With `ignore_localhost` or `ignore_hosts` a local server is asked each time, and nothing is kept."""
    for number, settings in enumerate(('{"ignore_localhost": True}', '{"ignore_hosts": ["127.0.0.1"]}')):
        project.write({"conftest.py": CONFIG.replace("{settings}", settings), "test_it.py": TEST})
        assert project.pytest("-q", URL=server.url).code == 0
        assert server.count == number + 1
    assert cassettes(project) == []


def test_match_on_without_body(project: MiniProject, server: Any) -> None:
    """A `match_on` that leaves the body out does not hide a changed body; the session says so once."""
    record(project, '{"match_on": ["method", "host", "path"]}', TEST, server.url)
    done = project.edit("test_it.py", "q=1", "q=2").pytest("-q", URL=server.url)
    assert done.code == 1
    assert "its body differs" in done.out
    assert done.out.count("match_on leaves the body out") == 1


def test_match_on_narrows(project: MiniProject, server: Any) -> None:
    """A matcher of vcrpy's, or one registered by the hook, refuses what our key alone would serve."""
    settings = '{"match_on": ["body", "beta"]}\n'
    hook = """
def pytest_recording_configure(config, vcr):
    vcr.register_matcher("beta", lambda one, other: one.headers.get("openai-beta") == other.headers.get("openai-beta"))
"""
    test = TEST.replace(
        "ask(q=1)", "httpx2.get(os.environ['URL'], headers={'openai-beta': os.environ.get('BETA', 'a')})"
    )
    record(project, settings + hook, test, server.url)
    done = project.pytest("-q", URL=server.url, BETA="b")
    assert done.code == 1, done.text
    assert server.count == 1


def test_repeats(project: MiniProject, server: Any) -> None:
    """With `allow_playback_repeats` the last of equal requests goes on answering; without, it does not."""
    test = TEST.replace("ask(q=1)", "assert [ask(q=1) for _ in range(int(os.environ.get('TIMES', 4)))][:2] == [1, 2]")
    test = test.replace("test_it():", "test_it(vcr):")
    project.write({"conftest.py": CONFIG.replace("{settings}", "{}"), "test_it.py": test})
    assert project.pytest("-q", "--record-mode=rewrite", URL=server.url, TIMES="2").code == 0
    assert project.pytest("-q", URL=server.url).code == 1
    project.edit("conftest.py", "{}", '{"allow_playback_repeats": True}')
    assert project.pytest("-q", URL=server.url).code == 0


def test_places(project: MiniProject, server: Any) -> None:
    """`vcr_cassette_dir`, `default_cassette_name` and `path_transformer` decide where a cassette lies."""
    settings = """{"path_transformer": lambda path: path + ".x.yaml"}

@pytest.fixture(scope="module")
def vcr_cassette_dir(request):
    return str(request.config.rootpath / "cassettes" / "all")

@pytest.fixture
def default_cassette_name(request):
    return "one"
"""
    record(project, settings, TEST, server.url)
    assert cassettes(project) == ["cassettes/all/one.x.yaml"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('{"persister": object}', "'persister', which is not supported"),
        ('{"serializer": "json"}', "serializer 'json' is not supported"),
        ('{"record_mode": "always"}', "record_mode 'always' is none of"),
        ('{"match_on": ["moon"]}', "Matcher moon doesn't exist"),
    ],
)
def test_what_means_nothing_is_refused(project: MiniProject, server: Any, settings: str, words: str) -> None:
    """A setting that we don't know is named with the test, not passed over."""
    project.write({"conftest.py": CONFIG.replace("{settings}", settings), "test_it.py": TEST})
    done = project.pytest("-q", URL=server.url)
    assert done.code == 1
    assert "test_it.py::test_it: " in done.out
    assert words in done.out
    assert "Traceback" not in done.out


def test_the_project_of_ours_holds_too(project: MiniProject, server: Any) -> None:
    """What `[tool.harness]` calls volatile or redacts holds for plain tests, recorded by us or by another tool."""
    table = '\n[tool.harness]\nvolatile = ["at"]\n[tool.harness.redact]\nemails = true\n'
    project.write({"pyproject.toml": (project.root / "pyproject.toml").read_text() + table})
    test = TEST.replace("ask(q=1)", "ask(at=os.urandom(4).hex(), who='ann@example.com')")
    text = record(project, "{}", test, server.url)
    assert "ann@example" not in text
    body = '{"who": "ann@example.com", "at": 1}'
    theirs = {
        "version": 1,
        "interactions": [
            {
                "request": {
                    "method": "POST",
                    "uri": f"{server.url}/a",
                    "headers": {},
                    "body": body,
                },
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"Content-Type": ["application/json"]},
                    "body": {"string": '{"n": 7}'},
                },
            }
        ],
    }
    (name,) = cassettes(project)
    project.write({name: yaml.safe_dump(theirs)})
    done = project.pytest("-q", URL=server.url)
    assert done.code == 0, done.text
    assert server.count == 1
