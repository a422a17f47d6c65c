"""Traces to score, made from the few facts that a test is about."""

from __future__ import annotations

from decimal import Decimal

from pydantic import JsonValue

from harness.records.message import Api, AssistantMessage, StopReason, ToolCall, Usage
from harness.records.trace import Event, ModelCall, ToolCalled, Trace, UserTurn

__all__ = ["make_trace"]


def make_trace(
    *calls: tuple[str, JsonValue],
    output: JsonValue = "Done.",
    state: JsonValue = None,
    offered: tuple[str, ...] = ("find_order", "refund", "escalate"),
    cost: str | None = "0.01",
) -> Trace:
    """A trace in which the model asks for each call in a turn of its own, then answers."""
    usage = Usage(input_tokens=100, output_tokens=20)
    price = None if cost is None else Decimal(cost)
    events: list[Event] = [UserTurn(number=1, text="Please help.")]

    def model_call(turn: int, reply: AssistantMessage, stop: StopReason) -> ModelCall:
        return ModelCall(
            turn=turn,
            user_turn=1,
            api=Api.OPENAI_CHAT,
            model="gpt-5-mini",
            sent=(),
            tools=offered,
            status=200,
            reply=reply,
            stop=stop,
            usage=usage,
            cost_usd=price,
            cost_unknown="" if price else "give the price of gpt-5-mini in [tool.harness.prices]",
            started=(turn - 1) * 1_000_000_000,
            duration=1_000_000_000,
        )

    for turn, (name, arguments) in enumerate(calls, 1):
        call = ToolCall(id=f"call_{turn}", name=name, arguments="{}")
        events.append(model_call(turn, AssistantMessage(tool_calls=(call,)), StopReason.TOOL_CALLS))
        events.append(ToolCalled(turn=turn, call_id=call.id, name=name, arguments=arguments, result="ok"))
    turns = len(calls) + 1
    events.append(model_call(turns, AssistantMessage(text="Done."), StopReason.END))
    return Trace(
        run_id="0",
        events=tuple(events),
        outputs=(output,),
        state=state,
        usage=Usage(input_tokens=100 * turns, output_tokens=20 * turns),
        cost_usd=None if price is None else price * turns,
        duration=turns * 1_000_000_000,
    )
