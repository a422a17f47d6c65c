"""Telemetry of frameworks: a replay sends none of it, now or later, and no trial fails; a recording is a live run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from pathlib import Path

import pytest

from harness.cassettes import ExtendSession, RecordSession, ReplaySession, Session, intercepted, routed, routing
from harness.cassettes.routing import meet, route, using
from harness.cassettes.sessions import Playback
from harness.cassettes.telemetry import SERVICES, service_of
from harness.providers.simulated import running_provider
from harness.records.exchange import Cassette, Exchange, HttpRequest, HttpResponse
from harness.seams import ExtendedClock, RecordedClock, SystemClock
from tests.faces.test_offline import Listener, listening
from tests.project import DESK, MiniProject

LIBRARY = '''\
"""A library that reports to its maker, from a thread that it starts when it is imported, and once more at the end."""
import atexit
import os
import queue
import threading

import httpx2

REPORTS = queue.Queue()
PLACE = os.environ.get("REPORTS_TO", "https://us.i.posthog.com/batch/")


def send():
    try:
        httpx2.Client(timeout=20).post(PLACE, json={"event": "run"})
    except httpx2.HTTPError:
        pass


def work():
    while True:
        REPORTS.get()
        try:
            send()
        except BaseException:
            pass
        REPORTS.task_done()


def report():
    REPORTS.put("run")
    REPORTS.join()


threading.Thread(target=work, daemon=True).start()
atexit.register(send)
'''
REPORTING = {
    **DESK,
    "posthog.py": LIBRARY,
    "desk.py": DESK["desk.py"]
    .replace("import json\n", "import json\nimport posthog\n", 1)
    .replace(
        "    tool = task.world.tools[0]\n", "    tool = task.world.tools[0]\n    posthog.report()\n    posthog.send()\n"
    ),
    "after/test_it.py": "import posthog\n\n\ndef test_it():\n    posthog.report()\n",
}
"""The desk, whose agent uses that library: it reports from the library's thread, and from its own code."""


def recorded(project: MiniProject, listener: Listener) -> MiniProject:
    """The desk with its recording, and a proxy in which a report would be heard."""
    project.write(REPORTING)
    with running_provider([project.root / "status.script.yaml"]) as url:
        keys = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "simulated"}
        done = project.harness("record", **keys, HTTPS_PROXY=f"http://127.0.0.1:{listener.port}")
    assert done.code == 0, done.text
    return project


def test_recorded_and_replayed(tmp_path: Path) -> None:
    """A recording lets reports go out and keeps none; a replay lets none out, also after it and at its end."""
    project = MiniProject(tmp_path)
    with listening() as listener:
        recorded(project, listener)
        assert len(listener.heard) == 3  # from the thread, from the agent's code, and at the end
        cassette = next(project.root.glob("cassettes/status/**/1.yaml")).read_text(encoding="utf-8")
        assert "posthog" not in cassette
        listener.heard.clear()

        proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{listener.port}"}
        done = project.harness("run", **proxy)
        assert done.code == 0, done.text
        assert done.err.count("telemetry of PostHog was not sent: a replay stays offline") == 1
        done = project.pytest("-q", "--import-mode=importlib", "scenarios", "after", **proxy)
        assert "2 passed" in done.out, done.text
        assert listener.heard == []


def test_others_still_fail_the_trial(tmp_path: Path) -> None:
    """What goes elsewhere from the same thread fails the trial, be it another place of the same host's namesake."""
    project = MiniProject(tmp_path)
    with listening() as listener:
        recorded(project, listener)
    for place in ("https://us.i.posthog.com.example.com/batch/", "https://api.openai.com/v1/traces"):
        done = project.harness("run", REPORTS_TO=place)
        assert done.code != 0, done.text
        assert f"POST {place}" in done.text


def test_the_list_is_exact() -> None:
    """A service is known by host and path, with its port; what only looks like it is not."""
    assert all(service_of(f"https://{service.hosts[0]}{service.paths[0]}") is service for service in SERVICES)
    known = "https://api.openai.com/v1/traces/ingest"
    assert service_of(known)
    for other in (
        "https://api.openai.com/v1/responses",
        "https://api.openai.com:444/v1/traces/ingest",
        "https://evil.example/api.openai.com/v1/traces/ingest",
        "https://api.openai.com.evil.example/v1/traces/ingest",
        "https://api.openai.com@evil.example/v1/traces/ingest",
        "https://api.smith.langchain.com/runs/query",
        "api.openai.com/v1/traces/ingest",
    ):
        assert service_of(other) is None, other


REPORT = HttpRequest(method="POST", uri="https://api.openai.com/v1/traces/ingest", headers=(), body=b"{}")
NEW = REPORT.model_copy(update={"body": b'{"new": true}'})
ASKED = HttpRequest(method="POST", uri="https://api.openai.com/v1/responses", headers=(), body=b"{}")
ANSWER = HttpResponse(status=200, body=b"recorded")
CASSETTE = Cassette(exchanges=(Exchange(request=REPORT, response=ANSWER, started=0, head=0, duration=0),))


@pytest.fixture
def nothing_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has replayed no trial yet."""
    monkeypatch.setattr(routing, "_REPLAYED", threading.Event())


def sent(request: HttpRequest) -> bytes | None:
    """What answers a request of the code that is running; None where it goes its own way."""
    answering = route(lambda: f"{request.method} {request.uri}")
    if answering is None:
        return None
    met = meet(answering, request, {})
    assert isinstance(met, Playback)
    return met.exchange.response.body


def sent_from_elsewhere(request: HttpRequest) -> bytes | None:
    """The same for code that belongs to no trial."""
    return Context().run(sent, request)


def extending(cassette: Cassette) -> ExtendSession:
    """A trial that goes live at the first difference."""
    return ExtendSession(cassette, clock=ExtendedClock(), journal=None)


@pytest.mark.parametrize(
    "replaying", [lambda: ReplaySession(CASSETTE, clock=RecordedClock()), lambda: extending(CASSETTE)]
)
def test_a_replay_answers_what_is_recorded(replaying: Callable[[], Session], nothing_replayed: None) -> None:
    """Of the agent's own reports those that were recorded get their answers, all others that of a service."""
    session = replaying()
    with intercepted(), routed(session):
        assert sent_from_elsewhere(REPORT) == b"{}"
        assert [sent(REPORT), sent(REPORT), sent(NEW)] == [b"recorded", b"{}", b"{}"]
    assert [sent(REPORT), sent_from_elsewhere(REPORT)] == [b"{}", b"{}"]
    assert (session.mismatch, session.played) == (None, [])  # or a thread that is late would change the trace
    assert session.replays


def test_an_extension_lets_it_out_once_it_is_live(nothing_replayed: None) -> None:
    """From the first difference on an extended trial is a live run, and its reports go out."""
    session = extending(CASSETTE)
    with intercepted(), routed(session):
        assert sent(NEW) == b"{}"
        session.meet(ASKED)
        assert [sent(REPORT), sent_from_elsewhere(REPORT)] == [None, None]
    assert sent_from_elsewhere(REPORT) is None
    assert not session.replays


def test_the_innermost_trial_decides(nothing_replayed: None) -> None:
    """A judge that is recorded within a replay reports, and a replay within a recording does not."""
    live, replay = RecordSession(clock=SystemClock(), journal=None), ReplaySession(CASSETTE, clock=RecordedClock())
    with intercepted(), routed(replay), routed(live):
        assert sent(REPORT) is None
    live, replay = RecordSession(clock=SystemClock(), journal=None), ReplaySession(CASSETTE, clock=RecordedClock())
    with intercepted(), routed(live), routed(replay):
        assert sent(REPORT) == b"recorded"


def test_a_recording_lets_it_pass() -> None:
    """In a trial that is recorded, telemetry goes its own way, whichever code sends it."""
    with using(RecordSession(clock=SystemClock(), journal=None)):
        assert route(lambda: "POST https://api.openai.com/v1/traces/ingest") is None


def test_recorded_by_another_tool() -> None:
    """Telemetry that stands in a cassette and is not asked for is missed by nobody."""
    assert ReplaySession(CASSETTE, clock=RecordedClock()).unplayed == ()
