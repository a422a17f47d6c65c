"""The one retry rule: what is worth another attempt gets up to two more, after a pause on the run's own clock."""

from __future__ import annotations

from random import Random

from harness.agent.runlog import RunLog
from harness.errors import TransientError
from harness.providers import ModelClient
from harness.records.message import ModelReply, ModelRequest
from harness.seams import Seams

__all__ = ["ATTEMPTS", "FIRST_PAUSE", "LONGEST_WAIT", "complete_with_retry", "pause_before"]

ATTEMPTS = 3
"""Requests per model call, the first included."""
FIRST_PAUSE = 0.5
"""Seconds, before jitter; each further pause is twice as long."""
LONGEST_WAIT = 60.0
"""Seconds that we wait at most, whatever the provider asks for."""


async def complete_with_retry(client: ModelClient, request: ModelRequest, seams: Seams, log: RunLog) -> ModelReply:
    """Complete a request. Errors that no retry mends are raised at once, a transient one after the last attempt."""
    attempt = 1
    while True:
        try:
            return await client.complete(request)
        except TransientError as error:
            if attempt == ATTEMPTS:
                raise TransientError(
                    f"gave up after {ATTEMPTS} attempts: {error}",
                    status=error.status,
                    code=error.code,
                    retry_after=error.retry_after,
                ) from error
            pause = pause_before(attempt + 1, error.retry_after, seams.random)
            log.warning("attempt %d of %d failed, again in %.3f s: %s", attempt, ATTEMPTS, pause, error)
        await seams.clock.sleep(pause)
        attempt += 1


def pause_before(attempt: int, retry_after: float | None, random: Random) -> float:
    """Seconds to wait before an attempt, from 2: as told by the provider, else exponential with jitter of a half."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return FIRST_PAUSE * 2.0 ** (attempt - 2) * random.uniform(0.5, 1.0)
