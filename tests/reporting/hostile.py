"""Results in which every text that an author, a user, a model or a tool controls tries to break out."""

from __future__ import annotations

from harness.records.comparison import CaseComparison, Change, Results
from harness.records.mismatch import Mismatch, MismatchKind, MismatchPart
from harness.records.outcome import Outcome
from harness.records.run import Run
from harness.records.trace import AgentRaised, SystemPrompt, UserTurn
from tests.reporting.desk import case, check, gather, make_trace, model_call, tool, trial

ATTACK = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<!--<script>{{7*7}}{% raw %}${7*7}\u2028\u2029</style></title></textarea>'\"`|\\"
)
"""Ends every element, runs in every way we know, and holds what template engines and tables read."""
CONTROLS = "\x00\x1b[2J\x1b]0;owned\x07\x08\x0b\x0c\u202e\ufffe\uffff"
"""A terminal's escape sequences, a change of direction, and what XML 1.0 can't hold."""


def hostile_results() -> Results:
    """One regressed case made of attacks, and the same case in the baseline."""
    name = "hostile/<img src=x onerror=alert(1)>"
    text = ATTACK + CONTROLS
    before = _run(name, f"{text} before", Outcome.PASSED, None)
    mismatch = Mismatch(
        kind=MismatchKind.CHANGED,
        part=MismatchPart.CONVERSATION,
        turn=1,
        cause=text,
        recorded=f"{text} recorded",
        current=f"{text} current",
        other_reading=text,
    )
    now = _run(name, text, Outcome.FAILED, mismatch)
    change = CaseComparison(scenario=name, case="default", change=Change.REGRESSED, reason=text, before=before)
    return gather([(now, change)])


def _run(name: str, text: str, outcome: Outcome, mismatch: Mismatch | None) -> Run:
    trace = make_trace(
        SystemPrompt(text=text),
        UserTurn(number=1, text=text),
        model_call(1, text, model=text, error=text),
        tool(1, text, {text: text}, text, is_error=True),
        AgentRaised(user_turn=1, type=text, message=text, place=text),
        outputs=({text: text},),
        state={text: text},
    )
    scores = (check(text, text, passed=False, evidence=text),)
    one = trial(name, outcome, text, trace=trace, scores=scores, mismatch=mismatch)
    fields = {"description": text, "tags": (text,), "command": f"harness record {text}", "source": text}
    return Run(cases=(case(name, text, [one]).model_copy(update=fields),), trials=(one,))
