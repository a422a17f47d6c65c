"""The reference agent: asks the model, runs the tools it calls, and asks again until there is an answer.

What happens next is decided by the pure functions of :mod:`harness.agent.state`; here are the effects between them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pydantic import BaseModel

from harness.agent.retrying import complete_with_retry
from harness.agent.runlog import RunLog
from harness.agent.schemas import output_schema
from harness.agent.state import AgentState, begin_turn, hear, refuse_stop, settle, take_results
from harness.agent.tools import Tool, ToolOutcome
from harness.errors import LogicError, RegistryError
from harness.providers import ModelClient
from harness.records.base import JsonObject
from harness.records.message import AssistantMessage, ModelRequest, ToolCall, ToolResult
from harness.seams import Seams

__all__ = ["Agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A model with instructions and tools. It keeps nothing between turns: the conversation is the caller's state."""

    client: ModelClient
    model: str
    system: str
    seams: Seams
    tools: tuple[Tool, ...] = ()
    output: type[BaseModel] | None = None
    """The form of the answer; plain text without it."""
    stream: bool = False
    settings: JsonObject = field(default_factory=dict)
    """Further fields of each request, as the provider names them."""
    max_calls: int = 10
    """Model calls for one user message, retries of a call not counted."""

    def __post_init__(self) -> None:
        names = [tool.name for tool in self.tools]
        if twice := [name for name in names if names.count(name) > 1]:
            raise RegistryError(f"the agent has two tools named {twice[0]!r}; rename one")

    async def run(self, state: AgentState, text: str) -> AgentState:
        """Answer one user message: the state with the conversation so far and the answer.

        Raises :class:`harness.errors.ProviderError` in the class that tells whose doing it is; the given state is
        still good then, as it never changes.
        """
        log = RunLog(self.seams.run_id)
        state = begin_turn(state, text)
        while state.answer is None:
            if state.calls >= self.max_calls:
                raise LogicError(f"no answer after {state.calls} model calls (max_calls); {_describe_last(state)}")
            reply = await complete_with_retry(self.client, self._request(state), self.seams, log)
            state = hear(state, reply)
            log.info("model call %d: %s, %d tool calls", state.calls, reply.stop, len(reply.message.tool_calls))
            refuse_stop(reply)
            if reply.message.tool_calls:
                state = take_results(state, await self._call_tools(reply.message.tool_calls, log))
            else:
                state = settle(state, self.output)
        return state

    def _request(self, state: AgentState) -> ModelRequest:
        return ModelRequest(
            model=self.model,
            system=self.system,
            messages=state.messages,
            tools=tuple(tool.definition for tool in self.tools),
            output=output_schema(self.output) if self.output else None,
            settings=self.settings,
            stream=self.stream,
        )

    async def _call_tools(self, calls: tuple[ToolCall, ...], log: RunLog) -> tuple[ToolResult, ...]:
        """Run the calls of one reply together; their results in the order of the calls, whichever ends first."""
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(self._call_tool(call, log)) for call in calls]
        except BaseExceptionGroup as several:
            # A tool's own failure is its result, so this is one that ends the run: let it be known by its own type.
            first = several.exceptions[0]
            raise first from first.__cause__
        return tuple(task.result() for task in running)

    async def _call_tool(self, call: ToolCall, log: RunLog) -> ToolResult:
        tool = next((tool for tool in self.tools if tool.name == call.name), None)
        outcome = await tool.call(call.arguments) if tool else self._unknown(call.name)
        if outcome.broke is not None:
            log.error("tool %s broke", call.name, exc_info=outcome.broke)
        else:
            log.info("tool %s: %s", call.name, "error" if outcome.is_error else "done")
        return ToolResult(call_id=call.id, name=call.name, content=outcome.content, is_error=outcome.is_error)

    def _unknown(self, name: str) -> ToolOutcome:
        known = ", ".join(tool.name for tool in self.tools) or "none"
        return ToolOutcome(f"There is no tool named {name!r}. The tools are: {known}.", is_error=True)


def _describe_last(state: AgentState) -> str:
    replies = [message for message in state.messages if isinstance(message, AssistantMessage)]
    calls = replies[-1].tool_calls if replies else ()
    if not calls:
        return "raise the limit, or look at the conversation"
    return f"the last one asked for {', '.join(f'{call.name}({call.arguments})' for call in calls)}"[:300]
