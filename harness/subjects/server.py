"""Puts an HTTP endpoint under test: its server is started for the trial, and each user turn is POSTed to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import tempfile
import time
from contextvars import Context
from functools import partial
from pathlib import Path
from typing import Any

from harness.cassettes import reaching
from harness.disk import Lock
from harness.errors import SubjectError
from harness.registry import Endpoint
from harness.settings import Project
from harness.subjects.children import Child, in_thread
from harness.subjects.replies import is_last, read_reply
from harness.subjects.surroundings import Surroundings
from harness.subjects.task import Task

__all__ = ["Server", "begin"]

_HOST = "127.0.0.1"
_PORTS = range(20_000, 32_000)
"""Below those that systems give to connections that go out."""
_GRACE = 2.0
"""Seconds that a server has to end in, once it is asked to."""
_STEP = 0.02


def begin(endpoint: Endpoint, project: Project) -> Server:
    """A trial of the server, which is not started before its first turn."""
    return Server(endpoint, project)


class Server:
    """One trial of a server: started at the first turn, ended with the trial."""

    inexact = ("a server of its own, which lives in wall time",)

    def __init__(self, endpoint: Endpoint, project: Project) -> None:
        self._endpoint = endpoint
        self._project = project
        self._surroundings: Surroundings | None = None
        self._port: _Port | None = None
        self._child: Child | None = None
        self._turn = 0

    async def answer(self, task: Task) -> Any:
        """What it answers. Raises :class:`SubjectError` where it does not listen, breaks off or gives no answer."""
        self._turn += 1
        if self._surroundings is None:
            self._surroundings = Surroundings(task, self._endpoint.base_urls, self._project.allowed_hosts)
            self._port = _Port()
            self._child = self._start(self._surroundings, self._port.number)
        assert self._port is not None
        assert self._child is not None
        return await in_thread(partial(self._ask, task, self._surroundings, self._child, self._port.number))

    async def close(self) -> None:
        """End it, and leave nothing behind."""
        if self._child is not None:
            self._child.terminate()
            await in_thread(partial(self._child.ended.wait, _GRACE))
            self._child.kill()
        if self._port is not None:
            self._port.release()
        if self._surroundings is not None:
            await in_thread(self._surroundings.close)

    def _start(self, surroundings: Surroundings, port: int) -> Child:
        return Child(
            [part.replace("{port}", str(port)) for part in self._endpoint.argv],
            folder=self._project.root,
            environ={**surroundings.environ(self._turn), "PORT": str(port)},
            stdin=b"",
            place=self._endpoint.place,
        )

    def _ask(self, task: Task, surroundings: Surroundings, child: Child, port: int) -> Any:
        with reaching(_HOST, port):
            if self._turn == 1:
                self._await_ready(surroundings, child, port)
            body = json.dumps(_fill(self._endpoint.body, task, self._turn), ensure_ascii=False).encode()
            try:
                status, kind, reply = _post(port, self._endpoint.path, body)
            except (OSError, http.client.HTTPException) as error:
                child.ended.wait(1.0)  # the end of a process shows a little later than that of its connections
                how = child.describe_end() if child.ended.is_set() else f"broke off its answer ({type(error).__name__})"
                raise surroundings.failure(f"the server {how}", child) from error
        if not 200 <= status < 300:
            said = reply.decode(errors="replace").strip()[:2000]
            raise surroundings.failure(f"the server answered {status}: {said}", child)
        surroundings.read_world()
        return read_reply(kind, reply, self._endpoint.answer)

    def _await_ready(self, surroundings: Surroundings, child: Child, port: int) -> None:
        """Wait until it can be asked. A replayed trial is ended by its own time limit, which would say less."""
        limit = self._project.trial_timeout / 2
        began, last = _wall(), "nobody listened"
        while _wall() - began < limit:
            if child.ended.wait(_STEP):
                raise surroundings.failure(f"the server {child.describe_end()} before it listened on its port", child)
            try:
                if self._endpoint.ready is None:
                    socket.create_connection((_HOST, port), timeout=limit).close()
                    return
                status = _get(port, self._endpoint.ready, limit)
                if 200 <= status < 300:
                    return
                last = f"GET {self._endpoint.ready} was answered with {status}"
            except (OSError, http.client.HTTPException):
                continue
        raise surroundings.failure(f"the server could not be used after {limit:g} seconds: {last} at its port", child)


class _Port:
    """A port that nobody listens on, kept from other trials, also those of other processes, until it is released."""

    def __init__(self) -> None:
        first = os.getpid() * 101 % len(_PORTS)
        for number in (*_PORTS[first:], *_PORTS[:first]):
            self._file = Path(tempfile.gettempdir()) / f"harness-port-{number}.lock"
            try:
                self._lock = Lock(self._file, create=True)
            except OSError:  # another user's
                continue
            if self._lock.held and _is_free(number):
                self.number = number
                return
            self._lock.release()
        raise SubjectError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free; stop what listens there")

    def release(self) -> None:
        """Leave it to others."""
        with contextlib.suppress(OSError):  # Windows removes no open file
            self._file.unlink()
        self._lock.release()


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have just ended don't count
        try:
            one.bind((_HOST, port))
        except OSError:
            return False
    return True


def _wall() -> float:
    """Seconds of wall time: in the trial's own context time stands still."""
    return Context().run(time.monotonic)


def _get(port: int, path: str, timeout: float) -> int:
    connection = http.client.HTTPConnection(_HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _post(port: int, path: str, body: bytes) -> tuple[int, str, bytes]:
    """The status, content type and body of the answer; of a stream, up to its last event."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=None)  # whatever socket.setdefaulttimeout() says
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        reply = bytearray()
        while not is_last(reply) and (piece := response.read1()):
            reply += piece
        if response.length and not is_last(reply):  # read1 ends without an error where a body of known length is cut
            raise http.client.IncompleteRead(bytes(reply), response.length)
        return response.status, response.getheader("content-type", ""), bytes(reply)
    finally:
        connection.close()


def _fill(value: Any, task: Task, turn: int) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, task, turn) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, task, turn) for item in value]
    if isinstance(value, str):  # the input last: what the user says is not ours to fill in
        return value.replace("{run_id}", task.run_id).replace("{turn}", str(turn)).replace("{input}", task.input)
    return value
