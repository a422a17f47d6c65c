"""The last door before a trial's result is shown or written: an agent may say a secret that was on no wire."""

from __future__ import annotations

import json

from pydantic import JsonValue
from pydantic_core import to_json

from harness.records.run import Trial
from harness.records.trace import UserTurn
from harness.secrets import known_secrets

__all__ = ["mask_trial"]


def mask_trial(trial: Trial) -> Trial:
    """The trial without secrets in outputs, state, errors and reasons; the same object where there are none.

    What was on the wire is clean by now: it was masked as it was recorded. The user's turns stand in the scenario.
    """
    secrets = known_secrets()
    trace = trial.trace
    said: list[object] = [trial.reason, trial.scores, trial.mismatch]
    if trace is not None:
        said += [trace.outputs, trace.state, trace.raised]
        said += [event for event in trace.events if isinstance(event, UserTurn)]
    if not secrets.find(to_json(said)):
        return trial

    def mask(value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return secrets.mask(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        if isinstance(value, list):
            return [mask(item) for item in value]
        if isinstance(value, dict):
            return {secrets.mask(key.encode()).decode(): mask(item) for key, item in value.items()}
        return value

    masked = Trial.model_validate_json(json.dumps(mask(trial.model_dump(mode="json"))))
    return masked.model_copy(update={"scenario": trial.scenario, "case": trial.case})
