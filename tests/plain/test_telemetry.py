"""Telemetry in a user's own test functions: answered as recorded, never sent in a replay, never recorded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plain.test_marker import cassettes
from tests.project import MiniProject

TEST = """\
import os
import threading

import httpx2
import pytest
import requests

PLACE = "http://us.i.posthog.com/batch/"


def by_thread():
    said = []
    thread = threading.Thread(target=lambda: said.append(by_httpx2()))
    thread.start()
    thread.join()
    return said[0]


def by_httpx2():
    return httpx2.post(PLACE, json={"event": "run"}).text


def by_requests():
    return requests.post(PLACE, json={"event": "run"}).text


@pytest.mark.vcr
def test_it():
    said = [by_httpx2(), by_requests(), by_thread()]
    assert said == [os.environ["SAID"]] * 3 or os.environ["SAID"] == "anything"
"""
RECORDED = """\
- request: {method: POST, uri: 'http://us.i.posthog.com/batch/', headers: {}, body: '{"event": "run"}'}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: recorded}}
"""
FILE = "cassettes/test_it/test_it.yaml"


@pytest.mark.parametrize("mode", ["none", "once", "new_episodes"])
def test_what_is_recorded_is_answered(project: MiniProject, server: Any, mode: str) -> None:
    """An exchange with a telemetry service that stands in the cassette is played like any other."""
    project.write({"test_it.py": TEST, FILE: "version: 1\ninteractions:\n" + RECORDED * 3})
    done = project.pytest("-q", "--record-mode", mode, SAID="recorded", HTTP_PROXY=server.url)
    assert "1 passed" in done.out, done.text
    assert server.count == 0


@pytest.mark.parametrize("mode", ["none", "once"])
@pytest.mark.parametrize("recorded", ["version: 1\ninteractions: []\n", None])
def test_a_replay_sends_none(project: MiniProject, server: Any, mode: str, recorded: str | None) -> None:
    """What is not recorded is answered as by its service; without a file, only a mode that records lets it out."""
    project.write({"test_it.py": TEST} if recorded is None else {"test_it.py": TEST, FILE: recorded})
    records = mode == "once" and recorded is None
    said = "anything" if records else "{}"
    done = project.pytest("-q", "--record-mode", mode, SAID=said, HTTP_PROXY=server.url)
    assert "1 passed" in done.out, done.text
    assert server.count == (3 if records else 0)


@pytest.mark.parametrize("mode", ["rewrite", "all", "new_episodes"])
def test_a_recording_lets_it_out(project: MiniProject, server: Any, mode: str) -> None:
    """While a test is recorded its telemetry goes its own way, and is not kept."""
    project.write({"test_it.py": TEST})
    done = project.pytest("-q", "--record-mode", mode, SAID="anything", HTTP_PROXY=server.url)
    assert "1 passed" in done.out, done.text
    assert (server.count, cassettes(project)) == (3, [])


def test_another_report_is_no_match(project: MiniProject, server: Any) -> None:
    """A recorded report that the test no longer makes as it did is left over, and fails it."""
    project.write({"test_it.py": TEST, FILE: "version: 1\ninteractions:\n" + RECORDED.replace("run", "walk")})
    done = project.pytest("-q", SAID="{}", HTTP_PROXY=server.url)
    assert "1 of 1 recorded exchanges was not asked for" in done.out, done.text
    assert server.count == 0
