"""Sorts the calls of a trial into conversations: which call goes on with which, and by what that is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from harness.records.message import Message, ModelRequest, ToolCall, ToolResult, UserMessage
from harness.wire.attempts import Call
from harness.wire.history import Atom, History, atoms_of, is_spoken
from harness.wire.shapes import text_at

__all__ = ["Placed", "Thread", "ToolUse", "find_conversations"]

_BY_STORE = "it names what it goes on from, which the provider stores"
_BY_TAIL = "the last reply stands in it; older messages were dropped or rewritten"
_BY_POINT = "it goes on from an earlier point of the conversation"
_AFTER_FAILURE = "it sends the same messages again after a failure, otherwise than before"
_BY_TURN = "it answers the next user turn under the same instructions and tools, without the earlier messages"
_FOREIGN = "it goes on from a response that is not in this recording"
_AGAIN = "it sends the same messages again after a reply: one agent that asks twice, or another with the same task"
_AT_ONCE = "it sends the same messages at the same time: one agent that asks twice, or two with the same task"
_EQUAL = "several conversations hold what it goes on from"
_NEW_INSTRUCTIONS = "other instructions over the same messages: the same agent, or another one that took over"


@dataclass(slots=True, eq=False)
class ToolUse:
    """A tool that a reply asked for, and what became of it."""

    call: ToolCall
    asked: Placed
    result: ToolResult | None = None
    carried: Placed | None = None
    """The call whose request brought the result."""


@dataclass(slots=True, eq=False)
class Thread:
    """One conversation: the calls of one agent that share a history."""

    placed: list[Placed] = field(default_factory=list)
    took_over: Thread | None = None
    """The conversation whose messages its first request goes on with."""
    twin: Thread | None = None
    """An earlier conversation under the same instructions and tools."""


@dataclass(slots=True, eq=False)
class Placed:
    """A call in its conversation."""

    index: int
    """Its place among the calls, from 0."""
    call: Call
    thread: Thread
    fresh: tuple[Message, ...]
    """What no earlier request had sent or received."""
    linked: str
    unsure: str
    tools: list[ToolUse] = field(default_factory=list)
    unasked: list[ToolResult] = field(default_factory=list)
    """Fresh results of calls that no reply in the recording asked for."""


@dataclass(frozen=True, slots=True)
class _Link:
    thread: Thread
    linked: str = ""
    unsure: str = ""


class _Likeness(Enum):
    SAME = 1
    UNSURE = 2
    OTHER = 3


def find_conversations(calls: Iterable[Call], turns: Sequence[str]) -> list[Placed]:
    """Each call with its conversation, in order. ``turns`` is what the user said."""
    finder = _Finder(turns)
    for call in calls:
        finder.place(call)
    return finder.placed


class _Finder:
    def __init__(self, turns: Sequence[str]) -> None:
        self.placed: list[Placed] = []
        self._turns = turns
        self._threads: list[Thread] = []
        self._history = History()
        self._heads: list[list[Atom]] = []
        """What each call had sent and received."""
        self._asked: list[int] = []
        """How much of that it had sent."""
        self._spoken: dict[Atom, list[Placed]] = defaultdict(list)
        self._stored: dict[str, Placed] = {}
        self._open: dict[str, list[ToolUse]] = defaultdict(list)

    def place(self, call: Call) -> None:
        """Find the conversation of the next call, and remember what it adds."""
        messages = call.request.messages
        each = [tuple(atoms_of(message)) for message in messages]
        atoms = [atom for said in each for atom in said]
        before = self._stored.get(_stored_id(call.request))
        if before is not None:
            link, fresh = self._go_on(call, [before], _BY_STORE), messages
            atoms = self._heads[before.index] + atoms
            path = self._history.walk(atoms)
        else:
            path = self._history.walk(atoms)
            link = self._find(call, atoms, path)
            rewritten = link.linked in (_BY_TAIL, _BY_POINT)
            fresh = self._unseen(messages) if rewritten else _after(messages, each, len(path))
        placed = Placed(len(self.placed), call, link.thread, fresh, link.linked, link.unsure)
        link.thread.placed.append(placed)
        self.placed.append(placed)
        self._take_results(placed)
        self._remember(placed, atoms, path)

    def _find(self, call: Call, atoms: list[Atom], path: list[int]) -> _Link:
        if text_at(call.request.settings, "previous_response_id"):
            return _Link(self._begin(call), unsure=_FOREIGN)
        return (
            self._by_history(call, atoms, path)
            or self._by_beginning(call, atoms, path)
            or self._by_tail(call, atoms)
            or self._by_turn(call)
            or _Link(self._begin(call))
        )

    def _by_history(self, call: Call, atoms: list[Atom], path: list[int]) -> _Link | None:
        """All messages of an earlier call, its reply included, stand at the beginning."""
        for indices in self._history.continued(path):
            ends = [self.placed[index] for index in indices]
            fitting = [end for end in ends if not end.call.failed or _may_go_on(end, call)]
            if fitting:
                failed = fitting[-1].call.failed and self._asked[fitting[-1].index] == len(atoms)
                return self._go_on(call, fitting, _AFTER_FAILURE if failed else "")
        return None

    def _go_on(self, call: Call, ends: list[Placed], linked: str) -> _Link:
        """The conversation of a call that goes on from one of these, which hold the same messages."""
        for fitting in self._fitting(call, ends):
            threads = list(dict.fromkeys(one.thread for one in fitting))
            if threads:
                return _Link(threads[-1], linked, _EQUAL if len(threads) > 1 else "")
        origin = ends[-1].thread
        if _likeness(ends[-1], call) is _Likeness.UNSURE:
            return _Link(origin, linked, _NEW_INSTRUCTIONS)
        return _Link(self._begin(call, took_over=origin), linked)

    def _fitting(self, call: Call, ends: list[Placed]) -> Iterator[list[Placed]]:
        """Earlier calls of what may be the same agent, the surest first."""
        yield [end for end in ends if _is_same(end, call)]
        family = _family(ends[-1].thread)
        yield [one for one in self.placed if _is_same(one, call) and _family(one.thread) is family][-1:]
        yield [end for end in ends if _likeness(end, call) is _Likeness.SAME]

    def _by_beginning(self, call: Call, atoms: list[Atom], path: list[int]) -> _Link | None:
        """It shares the beginning of an earlier call under the same instructions and tools, and then leaves it."""
        sharing = (self.placed[index] for index in self._history.sharing(path))
        same = [placed for placed in sharing if _is_same(placed, call)]
        if not same:
            return None
        unsure = _EQUAL if len({id(placed.thread) for placed in same}) > 1 else ""
        if any(is_spoken(atom) for atom in atoms[: len(path)]):
            return _Link(same[-1].thread, _BY_POINT, unsure)
        if len(path) < len(atoms):
            return None  # the same opening words, and then another task
        under_way = any(placed.call.ended > call.began for placed in same)
        return _Link(same[-1].thread, unsure=_AT_ONCE if under_way else _AGAIN)

    def _by_tail(self, call: Call, atoms: list[Atom]) -> _Link | None:
        """Its messages do not begin like any other's, but hold what an earlier call was answered."""
        for atom in reversed(atoms):
            spoke = self._spoken.get(atom)
            if not spoke:
                continue
            same = list(dict.fromkeys(one.thread for one in spoke if _is_same(one, call)))
            if same:
                return _Link(same[-1], _BY_TAIL, _EQUAL if len(same) > 1 else "")
            return _Link(self._begin(call, took_over=spoke[-1].thread))
        return None

    def _by_turn(self, call: Call) -> _Link | None:
        """It answers the user's next words, and remembers nothing."""
        turn = call.last.user_turn
        said = self._turns[turn - 1] if 0 < turn <= len(self._turns) else ""
        last = next((m.text for m in reversed(call.request.messages) if isinstance(m, UserMessage)), "")
        if not said or said not in last:
            return None
        same = [
            thread
            for thread in self._threads
            if _is_same(thread.placed[-1], call) and thread.placed[-1].call.last.user_turn < turn
        ]
        return _Link(same[0], _BY_TURN, _EQUAL if len(same) > 1 else "") if same else None

    def _begin(self, call: Call, took_over: Thread | None = None) -> Thread:
        twin = next((one for one in self._threads if _is_same(one.placed[-1], call)), None)
        thread = Thread(took_over=took_over, twin=twin)
        self._threads.append(thread)
        return thread

    def _unseen(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        seen = {atom for head in self._heads for atom in head}
        return tuple(message for message in messages if not seen.issuperset(atoms_of(message)))

    def _take_results(self, placed: Placed) -> None:
        """Give each result to the oldest call of its id that has none: of the same conversation, else of any."""
        for message in placed.fresh:
            if not isinstance(message, ToolResult):
                continue
            waiting = self._open[message.call_id]
            own = [use for use in waiting if use.asked.thread is placed.thread]
            use = next(iter(own or waiting), None)
            if use is None:
                placed.unasked.append(message)
                continue
            use.result, use.carried = message, placed
            waiting.remove(use)

    def _remember(self, placed: Placed, atoms: list[Atom], path: list[int]) -> None:
        reply = placed.call.reply
        self._asked.append(len(atoms))
        if placed.call.failed:  # what goes on from it may hold what had arrived, or not
            self._history.add(atoms, path, placed.index)
            path = self._history.walk(atoms)
        if reply is not None:
            messages = (reply.message, *reply.others)
            for message in messages:
                for atom in atoms_of(message):
                    self._spoken[atom].append(placed)
            atoms = [*atoms, *atoms_of(reply.message)]
            if reply.id:
                self._stored[reply.id] = placed
            placed.tools = [ToolUse(call, placed) for message in messages for call in message.tool_calls]
            for use in placed.tools:
                self._open[use.call.id].append(use)
        if stored := _conversation_id(placed.call.request):
            self._stored[stored] = placed
        self._heads.append(atoms)
        if not placed.call.failed or reply is not None:
            self._history.add(atoms, path, placed.index)


def _after(messages: Sequence[Message], each: Sequence[Sequence[Atom]], known: int) -> tuple[Message, ...]:
    """The messages that are not whole among the first ``known`` of the atoms of each."""
    for number, atoms in enumerate(each):
        known -= len(atoms)
        if known < 0:
            return tuple(messages[number:])
    return ()


def _stored_id(request: ModelRequest) -> str:
    """What a request that leaves its history to the provider names it by."""
    return text_at(request.settings, "previous_response_id") or _conversation_id(request)


def _conversation_id(request: ModelRequest) -> str:
    given = request.settings.get("conversation")
    return given if isinstance(given, str) else text_at(given, "id")


def _family(thread: Thread) -> Thread:
    """The conversation from which this one was handed on."""
    while thread.took_over is not None:
        thread = thread.took_over
    return thread


def _is_same(placed: Placed, call: Call) -> bool:
    return placed.call.agent == call.agent


def _may_go_on(end: Placed, call: Call) -> bool:
    return end.call.ended <= call.began and _is_same(end, call)


def _likeness(end: Placed, call: Call) -> _Likeness:
    """Whether a call that goes on with another's messages is the same agent's, whose instructions may be dynamic."""
    (system, tools), (now, tools_now) = end.call.agent, call.agent
    apart = bool(tools and tools_now and not tools & tools_now)
    if system == now:
        if apart:
            return _Likeness.UNSURE if system else _Likeness.OTHER
        return _Likeness.SAME
    if tools and tools == tools_now:
        return _Likeness.SAME
    same_start = bool(system) and system.partition("\n")[0] == now.partition("\n")[0]
    if not tools and not tools_now:
        return _Likeness.SAME if same_start else _Likeness.UNSURE
    return _Likeness.UNSURE if same_start and not apart else _Likeness.OTHER
