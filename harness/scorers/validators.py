"""Holds the answer against a Pydantic model that the project registered."""

from __future__ import annotations

import copy
import logging
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import message_of
from harness.records.score import Score, ScorerKind, ScoreStatus
from harness.records.trace import Trace

__all__ = ["validate_output"]

_log = logging.getLogger(__name__)


def validate_output(name: str, model: Any, trace: Trace) -> Score:
    """One score: the final answer satisfies the model.

    Text is read as JSON where the model is not itself text. The validation context holds ``world``, the final state,
    and ``trace``. A validator that breaks, rather than refuses, is an error of its own and never a score.
    """
    title = f"validator {name}"
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    answer = copy.deepcopy(trace.output)  # a validator may change what it is given; the next scorer must not see it
    context = {"world": copy.deepcopy(trace.state), "trace": trace.model_copy(deep=True)}
    try:
        if isinstance(answer, str) and adapter.json_schema().get("type") != "string":
            adapter.validate_json(answer, context=context)
        else:
            adapter.validate_python(answer, context=context)
    except ValidationError as error:
        reason = "; ".join(_describe(fault) for fault in error.errors(include_url=False))
        return Score(name=title, scorer=ScorerKind.VALIDATOR, status=ScoreStatus.FAILED, value=0.0, reason=reason)
    except Exception as error:  # noqa: BLE001 - a project's own code: its failure becomes a record with its type
        _log.warning("validator %s broke", name, exc_info=True)
        reason = f"the validator itself raised {type(error).__name__}: {message_of(error)}"
        return Score(name=title, scorer=ScorerKind.VALIDATOR, status=ScoreStatus.ERRORED, value=None, reason=reason)
    return Score(
        name=title, scorer=ScorerKind.VALIDATOR, status=ScoreStatus.PASSED, value=1.0, reason="the answer is valid"
    )


def _describe(fault: Any) -> str:
    place = ".".join(map(str, fault["loc"])) or "the answer"
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
