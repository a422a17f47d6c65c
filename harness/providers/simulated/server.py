"""The simulated provider as a server: requests from a socket, answers from scripts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from harness.errors import BadInputError, Fault
from harness.providers.simulated.answering import Answering
from harness.providers.simulated.anthropic import Messages
from harness.providers.simulated.chat import ChatCompletions
from harness.providers.simulated.dialect import Dialect
from harness.providers.simulated.http import HttpConnection
from harness.providers.simulated.identifiers import Identifiers, digest
from harness.providers.simulated.reply import DroppedError, RejectedError, Reply
from harness.providers.simulated.responses import Responses
from harness.providers.simulated.script import Cut, Script, load_scripts
from harness.records.base import JsonObject
from harness.records.exchange import HttpRequest
from harness.records.message import Api
from harness.seams import Clock, SystemClock

__all__ = ["HEADER", "running_provider", "serve"]

HEADER = ("x-simulated-provider", "agent-regression-harness")
"""Stands in every response, so that a recording says that no real provider gave it."""

_NOT_JSON_ANTHROPIC = "The request body is not valid JSON"
_NOT_JSON_OPENAI = (
    "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON."
)


async def serve(
    scripts: Sequence[Path],
    *,
    host: str = "127.0.0.1",
    port: int,
    seed: int,
    on_ready: Callable[[str], None],
) -> None:
    """Answer from the scripts until cancelled; ``on_ready`` gets the server's URL. Port 0 takes a free one.

    Raises :class:`BadInputError` where a script or the port can't be used.
    """
    async with _listening(load_scripts(scripts), host, port, seed) as url:
        on_ready(url)
        await asyncio.Event().wait()


@contextmanager
def running_provider(scripts: Sequence[Path], seed: int = 0) -> Iterator[str]:
    """The URL of a provider that runs in a thread of its own, on a free port, until the block ends.

    Raises :class:`BadInputError` where a script can't be used.
    """
    loaded = load_scripts(scripts)
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stopped = asyncio.Event()
        async with _listening(loaded, "127.0.0.1", 0, seed) as url:
            started.set_result((url, asyncio.get_running_loop(), stopped))
            await stopped.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="simulated-provider", daemon=True)
    thread.start()
    url, loop, stopped = started.result(timeout=10)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


@asynccontextmanager
async def _listening(scripts: Sequence[Script], host: str, port: int, seed: int) -> AsyncIterator[str]:
    provider = _Provider(scripts, seed, SystemClock())
    try:
        server = await asyncio.start_server(provider.attend, host, port)
    except OSError as error:
        what = f"can't listen on {host} ({error.strerror}); take another port"
        raise BadInputError([Fault(f"--port {port}", 0, 0, what)]) from None
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await provider.leave()
        await server.wait_closed()


class _Provider:
    def __init__(self, scripts: Sequence[Script], seed: int, clock: Clock) -> None:
        dialects: tuple[Dialect, ...] = (ChatCompletions(), Responses(), Messages())
        self._dialects = {dialect.path: dialect for dialect in dialects}
        self._answering = Answering(scripts, seed)
        self._seed = seed
        self._clock = clock
        self._refused: Counter[bytes] = Counter()
        self._attending: set[asyncio.Task[None]] = set()

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        task = asyncio.current_task()
        assert task is not None
        self._attending.add(task)
        connection = HttpConnection(reader, writer)
        try:
            while (request := await connection.receive()) is not None:
                if not await self._respond(connection, request):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has left, or the server is closing: there is nobody to answer
        finally:
            self._attending.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def leave(self) -> None:
        """Close the connections that are still open."""
        tasks = list(self._attending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)

    async def _respond(self, connection: HttpConnection, request: HttpRequest) -> bool:
        """Answer; False where the connection is to close at once, with what has been sent."""
        headers = dict(request.headers)
        path = request.uri.partition("?")[0]
        dialect = self._dialects.get(path) or self._nearest(headers)
        try:
            body = _read_body(dialect, request, path)
            asked = dialect.read(body)
            reply = self._answering.answer(dialect.api, asked)
        except RejectedError as rejection:
            own, refusal = dialect.refuse(rejection, self._error_ids(request))
            await _send_whole(connection, rejection.status, own, refusal)
            return True
        except DroppedError:
            return False
        await self._clock.sleep(reply.slow.head_ms / 1000)
        if asked.stream:
            return await self._stream(connection, dialect, body, reply)
        whole = dialect.whole(body, reply)
        await _send_whole(connection, 200, dialect.success_headers(reply), whole, reply.cut)
        return reply.cut is None

    async def _stream(self, connection: HttpConnection, dialect: Dialect, body: JsonObject, reply: Reply) -> bool:
        headers = [HEADER, ("content-type", "text/event-stream; charset=utf-8"), *dialect.success_headers(reply)]
        await connection.begin(200, headers)
        for number, event in enumerate(dialect.events(body, reply)):
            if reply.cut is not None and number == reply.cut.after_chunks:
                return False
            if number and reply.slow.chunk_ms:
                await self._clock.sleep(reply.slow.chunk_ms / 1000)
            await connection.send(event)
        if reply.cut is not None:
            return False
        await connection.end()
        return True

    def _nearest(self, headers: Mapping[str, str]) -> Dialect:
        """Whose words refuse an unknown path."""
        api = Api.ANTHROPIC_MESSAGES if "anthropic-version" in headers else Api.OPENAI_CHAT
        return next(dialect for dialect in self._dialects.values() if dialect.api is api)

    def _error_ids(self, request: HttpRequest) -> Identifiers:
        self._refused[request.body] += 1
        return Identifiers(f"{self._seed}\x1f{digest(request.uri, request.body)}\x1f{self._refused[request.body]}")


def _read_body(dialect: Dialect, request: HttpRequest, path: str) -> JsonObject:
    is_openai = dialect.api is not Api.ANTHROPIC_MESSAGES
    if path != dialect.path:
        raise RejectedError(404, f"Invalid URL ({request.method} {path})" if is_openai else None)
    if request.method != "POST":
        message = f"Not allowed to {request.method} on {path}. (HINT: Perhaps you meant to POST.)"
        raise RejectedError(405, message if is_openai else "Method Not Allowed")
    dialect.admit(dict(request.headers))
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):  # ValueError: not JSON, or not UTF-8
        raise RejectedError(400, _NOT_JSON_OPENAI if is_openai else _NOT_JSON_ANTHROPIC) from None
    if not isinstance(body, dict):
        raise RejectedError(400, _NOT_JSON_OPENAI if is_openai else "Input should be a valid dictionary")
    return body


async def _send_whole(
    connection: HttpConnection, status: int, headers: Sequence[tuple[str, str]], body: bytes, cut: Cut | None = None
) -> None:
    length = ("content-length", str(len(body)))
    await connection.begin(status, [HEADER, ("content-type", "application/json"), length, *headers])
    if cut is None:
        await connection.send(body)
        await connection.end()
    elif cut.after_chunks:
        await connection.send(body[: len(body) // 2])
