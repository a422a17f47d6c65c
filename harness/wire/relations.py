"""Tells what the conversations of a trial are to each other: main, sub-agent, handoff, feeder, side call, unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records.json_text import read_json
from harness.records.message import AssistantMessage, ToolResult
from harness.records.trace import Conversation, Role
from harness.wire.conversations import Placed, Thread, ToolUse

__all__ = ["Standing", "relate"]

_TELLING = 16
"""Characters: a text of at least this length that stands inside another one is taken to come from there."""
_NAME_WORDS, _NAME_LENGTH = 8, 60


@dataclass(slots=True, eq=False)
class Standing:
    """What a conversation is to the others."""

    thread: Thread
    role: Role
    ground: str
    parent: Thread | None = None
    tool: ToolUse | None = None
    number: int = 0

    def record(self, numbers: dict[int, int]) -> Conversation:
        """The event; ``numbers`` by the identity of each conversation."""
        return Conversation(
            number=self.number,
            role=self.role,
            name=_name(self.thread.placed[0].call.request.system),
            parent=numbers[id(self.parent)] if self.parent else None,
            tool=self.tool.call.name if self.tool else "",
            tool_call=self.tool.call.id if self.tool else "",
            ground=self.ground,
        )


def relate(placed: Sequence[Placed], turns: Sequence[str], outputs: Sequence[JsonValue]) -> list[Standing]:
    """What each conversation is, in the order in which they begin; the main one, where there is one, has number 1.

    ``turns`` is what the user said, ``outputs`` what the agent answered; either may be unknown (empty).
    """
    threads = list(dict.fromkeys(each.thread for each in placed))
    if len(threads) == 1:
        return [Standing(threads[0], Role.MAIN, "it is the only one", number=1)]
    view = _View(placed, turns, outputs)
    found = {id(thread): standing for thread in threads if (standing := view.below_another(thread))}
    tops = [thread for thread in threads if id(thread) not in found]
    main, ground = view.main_of(tops, found)
    for thread in tops:
        found[id(thread)] = Standing(thread, Role.MAIN, ground) if thread is main else view.beside(thread, tops)
    ordered = sorted((found[id(thread)] for thread in threads), key=lambda one: one.role is not Role.MAIN)
    for number, standing in enumerate(ordered, 1):
        standing.number = number
    return [found[id(thread)] for thread in threads]


class _View:
    def __init__(self, placed: Sequence[Placed], turns: Sequence[str], outputs: Sequence[JsonValue]) -> None:
        self._placed = placed
        self._turns = [turn for turn in turns if turn.strip()]
        self._outputs = outputs

    def below_another(self, thread: Thread) -> Standing | None:
        """The standing of a conversation that another one began; None where nothing shows that."""
        use = self._returned_to(thread)
        if use:
            ground = "its last reply is the result of the tool call"
            return Standing(thread, Role.SUB_AGENT, ground, use.asked.thread, use)
        if thread.took_over is not None:
            return self._taken_over(thread, thread.took_over)
        uses = self._at_work_around(thread)
        if not uses:
            return None
        parent, use = uses[0].asked.thread, _chosen(uses, thread)
        ground = "it ran between the tool call and the request with its result"
        if _is_aside(thread) and not self._enters(thread):
            return Standing(thread, Role.SIDE, f"{ground}; no request holds its reply", parent, use)
        if len(uses) > 1 and use is None:
            ground += f"; {len(uses)} tools were at work, and nothing shows which of them ran it"
        return Standing(thread, Role.SUB_AGENT, ground, parent, use)

    def main_of(self, tops: list[Thread], found: dict[int, Standing]) -> tuple[Thread | None, str]:
        """The conversation that answers the user, and how that is known."""
        speakers = {id(root): root for each in self._placed if self._answers(each) and (root := _root(each, found))}
        if len(speakers) == 1:
            return next(iter(speakers.values())), "its reply is the agent's answer"
        grown = [thread for thread in tops if not _is_aside(thread) or self._sent_back(thread)]
        for ground, left in (
            ("no other one stands for itself", grown),
            ("only it was told the user's words", [one for one in grown if self._was_told(one)]),
        ):
            if len(left) == 1:
                return left[0], ground
        return None, ""

    def beside(self, thread: Thread, tops: Sequence[Thread]) -> Standing:
        """The standing of a conversation that nothing began and that is not the main one."""
        heard = self._enters(thread)
        if heard:
            return Standing(thread, Role.FEEDER, "its last reply stands in what another one was told", heard)
        if self._is_lost(thread) and not all(map(self._is_lost, tops)):
            return Standing(thread, Role.SIDE, "no request and no answer holds its reply")
        ground = "nothing shows how it belongs to the others"
        if thread.twin is not None:
            ground += ": an agent's second run, or a history written anew"
        elif any(use.carried is None for use in thread.placed[-1].tools):
            ground += ": it ended with a tool call whose result no request carries, which may have handed over"
        return Standing(thread, Role.UNKNOWN, ground)

    def _returned_to(self, thread: Thread) -> ToolUse | None:
        first, last = thread.placed[0], thread.placed[-1]
        said = _said(last)
        if not said:
            return None
        for use in self._uses():
            if use.result is None or use.carried is None or use.asked.thread is thread:
                continue
            if use.asked.index < first.index and last.index < use.carried.index and _holds(use.result.content, said):
                return use
        return None

    def _taken_over(self, thread: Thread, origin: Thread) -> Standing:
        last = thread.placed[-1]
        if not self._is_lost(thread):
            return Standing(thread, Role.HANDOFF, "it goes on with the messages of another one", origin)
        if self._outputs or last is not self._placed[-1]:
            return Standing(thread, Role.SIDE, "it read another one's messages; nothing holds its reply", origin)
        return Standing(thread, Role.UNKNOWN, "it took over another one's messages, or only read them", origin)

    def _at_work_around(self, thread: Thread) -> list[ToolUse]:
        """The tools of the latest reply that were at work while the whole conversation ran.

        A call whose result no request carries is none of them: nothing shows that it ran at all.
        """
        first, last = thread.placed[0], thread.placed[-1]
        around = [
            use
            for use in self._uses()
            if use.carried is not None
            and use.asked.thread is not thread
            and use.asked.index < first.index
            and use.asked.call.ended <= first.call.began
            and last.index < use.carried.index
            and last.call.ended <= use.carried.call.began
        ]
        latest = max((use.asked.index for use in around), default=-1)
        return [use for use in around if use.asked.index == latest]

    def _uses(self) -> Iterator[ToolUse]:
        return (use for each in self._placed for use in each.tools)

    def _answers(self, placed: Placed) -> bool:
        """Whether a reply is what the agent answered the user."""
        said = _said(placed)
        return bool(said) and any(_says(output, said) for output in self._outputs)

    def _is_lost(self, thread: Thread) -> bool:
        """Whether it has no tools, and none of its replies is in a later request as the model's words or answers."""
        return _is_aside(thread) and not self._sent_back(thread) and not any(map(self._answers, thread.placed))

    def _sent_back(self, thread: Thread) -> bool:
        """Whether a later request holds one of its replies as the model's words."""
        replies = [(each, each.call.reply.message) for each in thread.placed if each.call.reply]
        return any(
            isinstance(message, AssistantMessage)
            and (message.text.strip(), len(message.tool_calls)) == (reply.text.strip(), len(reply.tool_calls))
            for each, reply in replies
            for later in self._placed[each.index + 1 :]
            for message in later.call.request.messages
        )

    def _enters(self, thread: Thread) -> Thread | None:
        """The conversation that was told its last reply: in a user's words, a tool's result or its instructions."""
        said = _said(thread.placed[-1])
        if not said:
            return None
        for later in self._placed[thread.placed[-1].index + 1 :]:
            if later.thread is thread:
                continue
            told = [message.content if isinstance(message, ToolResult) else message.text for message in later.fresh]
            texts = [later.call.request.system, *told]
            if any(_holds(text, said) for text in texts):
                return later.thread
        return None

    def _was_told(self, thread: Thread) -> bool:
        messages = thread.placed[0].call.request.messages
        return any(
            turn == message.text for turn in self._turns for message in messages if not isinstance(message, ToolResult)
        )


def _is_aside(thread: Thread) -> bool:
    return not any(each.call.request.tools for each in thread.placed)


def _root(placed: Placed, found: dict[int, Standing]) -> Thread | None:
    """The conversation at the top of the one that a call belongs to; None below one that is in no order."""
    thread = placed.thread
    for _ in range(len(found) + 1):
        standing = found.get(id(thread))
        if standing is None or standing.parent is None:
            return thread
        thread = standing.parent
    return None


def _chosen(uses: Sequence[ToolUse], thread: Thread) -> ToolUse | None:
    """The tool call that ran the conversation: the only one, or the only one whose arguments it was told."""
    if len(uses) == 1:
        return uses[0]
    told = "\n".join(message.text for message in thread.placed[0].call.request.messages if hasattr(message, "text"))
    named = [use for use in uses if any(text in told for text in _texts(use.call.arguments))]
    return named[0] if len(named) == 1 else None


def _texts(arguments: str) -> Iterator[str]:
    """The texts among a call's arguments that are long enough to be told from others."""
    try:
        value = read_json(arguments)
    except ValueError:
        value = arguments
    values: Iterable[JsonValue] = value.values() if isinstance(value, dict) else [value]
    return (text for text in values if isinstance(text, str) and len(text) > 1)


def _said(placed: Placed) -> str:
    return placed.call.reply.message.text.strip() if placed.call.reply else ""


def _holds(text: str, said: str) -> bool:
    """Whether a text comes from what was said: the same, the same as JSON, or around it where it is long enough."""
    return text.strip() == said or (len(said) >= _TELLING and said in text) or _same_json(text, said)


def _says(output: JsonValue, said: str) -> bool:
    return _holds(output, said) if isinstance(output, str) else _same_json(json.dumps(output), said)


def _same_json(text: str, said: str) -> bool:
    if not said.startswith(("{", "[", '"')):
        return False
    try:
        return bool(read_json(text) == read_json(said))
    except ValueError:
        return False


def _name(system: str) -> str:
    """The first words of a system prompt's first line that says anything."""
    line = next((line.strip() for line in system.splitlines() if line.strip()), "")
    words = line.split()
    name = " ".join(words[:_NAME_WORDS])[:_NAME_LENGTH]
    return f"{name} …" if name != line and name else name
