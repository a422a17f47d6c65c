"""Each model call belongs to a conversation. What that is to the others is told from the wire, or marked unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import JsonValue

from harness.records.exchange import Exchange, HttpRequest, HttpResponse
from harness.records.trace import Event, Role, SystemPrompt
from harness.wire.trace import read_events
from tests.wire.talking import (
    SECOND,
    asks,
    calls_in,
    conversations_in,
    exchange,
    says,
    tool_calls_in,
    tool_result,
    user,
)

BOSS: dict[str, Any] = {"system": "You run a travel desk.", "tools": ["book", "translate", "research"]}
TRANSLATOR: dict[str, Any] = {"system": "You translate whatever you are given into French, and nothing else at all."}
CLERK: dict[str, Any] = {"system": "You search.", "tools": ["search"]}
GUARD: dict[str, Any] = {"system": "Say whether this is about travel."}
TASK = user("Say hello in French.")
CALL = asks(("call_1", "translate", {"text": "hello"}))
DONE = says("In French one says: bonjour.")


def read(
    *exchanges: Exchange, turns: Sequence[str] = (TASK["content"],), outputs: Sequence[JsonValue] = ()
) -> tuple[Event, ...]:
    """The events of one user turn."""
    return read_events([(each, 1) for each in exchanges], turns, {}, outputs)


def members(events: Sequence[Event]) -> list[int]:
    """The conversation of each call."""
    return [call.conversation for call in calls_in(events)]


def roles(events: Sequence[Event]) -> list[tuple[int, Role, int | None, str]]:
    """Number, role, parent and tool of each conversation."""
    return [(one.number, one.role, one.parent, one.tool) for one in conversations_in(events)]


def test_a_single_agent_has_no_conversation_events() -> None:
    """One agent is one conversation, of which nothing is said or written."""
    events = read(
        exchange([TASK], CALL, at=0, **BOSS), exchange([TASK, CALL, tool_result("call_1", "x")], DONE, at=2, **BOSS)
    )
    assert conversations_in(events) == []
    assert members(events) == [1, 1]
    written = "".join(event.model_dump_json() for event in events)
    assert not any(field in written for field in ("conversation", "attempts", "linked", "unsure", "at_provider"))


def test_an_agent_as_a_tool_is_a_sub_agent() -> None:
    """Whose last reply is the result of a tool call was run by that tool, even if it makes one call without tools."""
    events = read(
        exchange([TASK], CALL, at=0, **BOSS),
        exchange([user("hello")], says("bonjour"), at=2, **TRANSLATOR),
        exchange([TASK, CALL, tool_result("call_1", "bonjour")], DONE, at=4, **BOSS),
    )
    assert members(events) == [1, 2, 1]
    assert roles(events) == [(1, Role.MAIN, None, ""), (2, Role.SUB_AGENT, 1, "translate")]
    sub_agent = conversations_in(events)[1]
    assert (sub_agent.name, sub_agent.tool_call) == ("You translate whatever you are given into French, …", "call_1")
    prompts = [(event.conversation, event.text[:9]) for event in events if isinstance(event, SystemPrompt)]
    assert prompts == [(1, "You run a"), (2, "You trans")]


def test_sub_agents_side_by_side_are_told_apart_by_their_tool_calls() -> None:
    """Two runs of one agent at the same time keep their own histories, and each stands under the call with its task."""
    both = asks(
        ("call_1", "research", {"about": "trains to Lyon"}), ("call_2", "research", {"about": "hotels in Nice"})
    )
    search = [asks((f"s{n}", "search", {"q": q})) for n, q in enumerate(("trains", "hotels"))]
    tasks = [user("Find: trains to Lyon"), user("Find: hotels in Nice")]
    found = [tool_result("s0", "TGV 6607"), tool_result("s1", "Negresco")]
    events = read(
        exchange([TASK], both, at=0, **BOSS),
        exchange([tasks[0]], search[0], at=2.0, **CLERK),
        exchange([tasks[1]], search[1], at=2.1, **CLERK),
        exchange([tasks[1], search[1], found[1]], says("Take the Negresco."), at=4.0, **CLERK),
        exchange([tasks[0], search[0], found[0]], says("Take the TGV."), at=4.1, **CLERK),
        exchange(
            [TASK, both, tool_result("call_1", "trains: TGV"), tool_result("call_2", "hotels: Negresco")],
            DONE,
            at=6,
            **BOSS,
        ),
    )
    assert members(events) == [1, 2, 3, 3, 2, 1]
    assert [(one.role, one.parent, one.tool_call) for one in conversations_in(events)[1:]] == [
        (Role.SUB_AGENT, 1, "call_1"),
        (Role.SUB_AGENT, 1, "call_2"),
    ]
    assert [(call.name, call.result) for call in tool_calls_in(events) if call.name == "search"] == [
        ("search", "TGV 6607"),
        ("search", "Negresco"),
    ]


@pytest.mark.parametrize("reply", [DONE, says("bonjour"), asks(("call_2", "search", {"q": "a"}))])
def test_a_tool_call_without_a_result_ran_nobody(reply: dict[str, Any]) -> None:
    """What begins after a call whose result no request carries is nobody's sub-agent, whatever it says."""
    played = (
        exchange([TASK], CALL, at=0, **BOSS),
        exchange([user("hello")], reply, at=2, **CLERK),
    )
    assert roles(read(*played)) == [(1, Role.MAIN, None, ""), (2, Role.UNKNOWN, None, "")]
    answered = read(*played, outputs=[reply["content"]]) if reply["content"] else read(*played)
    assert Role.SUB_AGENT not in [one.role for one in conversations_in(answered)]


def test_an_aside_after_a_tool_call_without_a_result_is_nobodys() -> None:
    """A title made after the last tool call is a side call beside the agent, and below none of its tools."""
    events = read(
        exchange([TASK], CALL, at=0, **BOSS),
        exchange([user("hello")], says("A title"), at=2, **GUARD),
    )
    assert roles(events) == [(1, Role.MAIN, None, ""), (2, Role.SIDE, None, "")]


def test_of_two_tool_calls_the_one_with_a_result_ran_the_sub_agent() -> None:
    """A call that came to nothing is no rival of the one that was answered."""
    both = asks(("call_1", "translate", {"text": "hello"}), ("call_2", "search", {"q": "hello"}))
    events = read(
        exchange([TASK], both, at=0, **BOSS),
        exchange([user("hello")], says("salut"), at=2, **CLERK),
        exchange([TASK, both, tool_result("call_1", "He says hi.")], DONE, at=4, **BOSS),
    )
    assert roles(events) == [(1, Role.MAIN, None, ""), (2, Role.SUB_AGENT, 1, "translate")]


def test_a_hand_over_that_starts_from_nothing_cannot_be_told() -> None:
    """An agent whose last tool hands over, without its result or messages: who answers is the main one."""
    pass_on = asks(("call_1", "to_clerk", {}))
    events = read(
        exchange([TASK], pass_on, at=0, **BOSS),
        exchange([TASK], DONE, at=2, **CLERK),
        outputs=[DONE["content"]],
    )
    assert roles(events) == [(2, Role.UNKNOWN, None, ""), (1, Role.MAIN, None, "")]
    assert "a tool call whose result no request carries" in conversations_in(events)[0].ground


def test_a_handoff_goes_on_with_the_history_and_may_come_back() -> None:
    """Another agent over the same messages took over; the first one's instructions and tools lead back to it."""
    pass_on, back = asks(("call_1", "to_clerk", {})), asks(("call_2", "to_boss", {}))
    desk = {"system": "You run a desk.", "tools": ["to_clerk"]}
    clerk = {"system": "You are a clerk.", "tools": ["to_boss", "search"]}
    first = [TASK, pass_on, tool_result("call_1", "clerk")]
    second = [*first, back, tool_result("call_2", "boss")]
    events = read(
        exchange([TASK], pass_on, at=0, **desk),
        exchange(first, back, at=2, **clerk),
        exchange(second, DONE, at=4, **desk),
    )
    assert members(events) == [1, 2, 1]
    assert roles(events) == [(1, Role.MAIN, None, ""), (2, Role.HANDOFF, 1, "")]
    assert [call.result for call in tool_calls_in(events)] == ["clerk", "boss"]
    assert all(not call.sent and not call.unsure for call in calls_in(events))


def test_a_handoff_with_a_filtered_history_is_one_too() -> None:
    """Another agent that is sent a reply of the first as the model's words took over, whatever else was left out."""
    reply = says("I shall ask the clerk.")
    events = read(
        exchange([TASK], reply, at=0, **BOSS),
        exchange([user("Summary so far."), reply, user("Go on.")], DONE, at=2, **CLERK),
        outputs=[DONE["content"]],
    )
    assert roles(events) == [(1, Role.MAIN, None, ""), (2, Role.HANDOFF, 1, "")]


def test_side_calls_stand_apart() -> None:
    """A guard beside the first call and a title after the last are side calls; the agent is the main one."""
    played = (
        exchange([TASK], says("yes"), at=0, **GUARD),
        exchange([TASK], CALL, at=0.1, **BOSS),
        exchange([TASK, CALL, tool_result("call_1", "bonjour")], DONE, at=2, **BOSS),
        exchange([TASK, CALL, tool_result("call_1", "bonjour"), DONE], says("French"), at=4, system="You give titles."),
    )
    events = read(*played, outputs=[DONE["content"]])
    assert members(events) == [2, 1, 1, 3]
    assert roles(events) == [(2, Role.SIDE, None, ""), (1, Role.MAIN, None, ""), (3, Role.SIDE, 1, "")]
    without_the_answer = roles(read(*played))[-1]
    assert without_the_answer == (3, Role.UNKNOWN, 1, "")


def test_who_says_the_answer_is_the_main_one() -> None:
    """Among agents that look alike, the one whose reply is the agent's answer is the main one."""
    played = (
        exchange([user("Translate hello")], says("bonjour"), at=0, **TRANSLATOR),
        exchange([TASK], says("about travel: no"), at=2, **GUARD),
    )
    assert [role for _, role, _, _ in roles(read(*played, outputs=["bonjour"]))] == [Role.MAIN, Role.SIDE]
    assert [role for _, role, _, _ in roles(read(*played, outputs=["about travel: no"]))] == [Role.SIDE, Role.MAIN]


def test_an_agent_whose_words_another_one_is_told_is_a_feeder() -> None:
    """A planner's reply that stands in the next agent's task feeds it."""
    plan = "1. greet them, 2. in French, 3. politely"
    events = read(
        exchange([TASK], says(plan), at=0, system="You plan."),
        exchange([user(f"Do this: {plan}")], DONE, at=2, **CLERK),
        outputs=[DONE["content"]],
    )
    assert roles(events) == [(2, Role.FEEDER, 1, ""), (1, Role.MAIN, None, "")]


def test_what_nothing_tells_is_unknown() -> None:
    """Two agents with tools, neither of which says the answer or heard the other: nobody is called the main one."""
    events = read(
        exchange([user("Look at trains.")], says("Trains are fine."), at=0, **BOSS),
        exchange([user("Look at hotels.")], says("Hotels are full."), at=2, **CLERK),
        outputs=["Stay at home."],
    )
    assert [one.role for one in conversations_in(events)] == [Role.UNKNOWN, Role.UNKNOWN]
    assert [one.number for one in conversations_in(events)] == [1, 2]


def test_results_between_the_calls_of_one_reply_are_no_new_words() -> None:
    """An agent that puts each result behind its call rewrites the reply: what the model said stays the model's."""
    both = asks(("a", "search", {"q": "a"}), ("b", "search", {"q": "b"}))
    split = [asks(("a", "search", {"q": "a"})), tool_result("a", "A"), asks(("b", "search", {"q": "b"}))]
    events = read(
        exchange([TASK], both, at=0, **CLERK),
        exchange([TASK, *split, tool_result("b", "B")], DONE, at=2, **CLERK),
    )
    assert members(events) == [1, 1]
    assert calls_in(events)[1].sent == ()
    assert [call.result for call in tool_calls_in(events)] == ["A", "B"]


def test_where_all_replies_are_lost_none_is_called_a_side_call() -> None:
    """Two calls without tools whose replies nothing holds: either may be the agent."""
    events = read(exchange([user("One.")], says("Aye."), at=0), exchange([user("Two.")], says("No."), at=2))
    assert [one.role for one in conversations_in(events)] == [Role.UNKNOWN, Role.UNKNOWN]


def test_a_shortened_history_is_the_same_conversation_by_what_is_left() -> None:
    """An agent that drops its oldest messages goes on; only what is new is shown as sent, and the ground is named."""
    search = asks(("s1", "search", {"q": "trains"}))
    result = tool_result("s1", "TGV 6607")
    events = read(
        exchange([user("One."), says("Aye."), TASK], search, at=0, **CLERK),
        exchange([search, result, user("Shorter!")], DONE, at=2, **CLERK),
        exchange([user("Summary: trains."), DONE, user("Thanks.")], says("Bye."), at=4, **CLERK),
    )
    assert members(events) == [1, 1, 1]
    assert conversations_in(events) == []
    _, second, third = calls_in(events)
    assert "last reply stands in it" in second.linked
    assert [message.text for message in second.sent if hasattr(message, "text")] == ["Shorter!"]
    assert [message.text for message in third.sent if hasattr(message, "text")] == ["Summary: trains.", "Thanks."]
    assert tool_calls_in(events)[0].result == "TGV 6607"


def test_a_history_written_anew_is_unknown() -> None:
    """Nothing in the request was said before: a second run of the agent, or a summary. Neither is guessed."""
    events = read(
        exchange([TASK], CALL, at=0, **BOSS),
        exchange([user("Summary: they want French.")], DONE, at=2, **BOSS),
        turns=["Something else."],
    )
    assert members(events) == [1, 2]
    assert [one.role for one in conversations_in(events)] == [Role.UNKNOWN, Role.UNKNOWN]
    assert "a history written anew" in conversations_in(events)[-1].ground


def test_an_agent_without_memory_is_one_conversation_over_the_turns() -> None:
    """The next user turn under the same instructions and tools, without the earlier messages, says so."""
    played = [
        (exchange([TASK], DONE, at=0, **BOSS), 1),
        (exchange([user("And in Italian?")], says("Ciao."), at=2, **BOSS), 2),
    ]
    events = read_events(played, [TASK["content"], "And in Italian?"], {})
    first, second = calls_in(events)
    assert (first.conversation, second.conversation) == (1, 1)
    assert "without the earlier messages" in second.linked


def test_equal_requests_at_once_are_marked_unsure() -> None:
    """One agent that samples twice, or two agents with one task: the wire can't tell, and the call says so."""
    events = read(exchange([TASK], DONE, at=0, **BOSS), exchange([TASK], says("Salut."), at=0.1, **BOSS))
    first, second = calls_in(events)
    assert (first.unsure, members(events)) == ("", [1, 1])
    assert "at the same time" in second.unsure


def test_a_failover_goes_on_with_the_conversation() -> None:
    """Another model that is sent the same messages after a failure is another call of the same conversation."""
    events = read(exchange([TASK], None, at=0, status=503, **BOSS), exchange([TASK], DONE, at=2, model="gpt-5", **BOSS))
    first, second = calls_in(events)
    assert (first.status, second.attempts, members(events)) == (503, (), [1, 1])
    assert "after a failure" in second.linked


def test_new_instructions_over_the_same_messages() -> None:
    """With the same tools or the same first line it is the same agent; without either the wire can't tell."""

    def second(**agent: Any) -> tuple[str, int]:
        events = read(
            exchange(
                [TASK], DONE, at=0, system="You help.\nToday is Monday.", tools=["a"] if agent.get("tools") else []
            ),
            exchange([TASK, DONE, user("Thanks.")], says("Bye."), at=2, **agent),
        )
        call = calls_in(events)[1]
        return call.unsure, call.conversation

    assert second(system="You help.\nToday is Tuesday.") == ("", 1)
    assert second(system="Quite another text.", tools=["a"]) == ("", 1)
    assert second(system="Quite another text.")[0] != ""
    assert second(system="Quite another text.", tools=["b"]) == ("", 2)


def response(
    given: Any, reply: str, *, at: float, previous: str | None = None, id_: str = "resp_1", **fields: Any
) -> Exchange:
    """One OpenAI Responses exchange whose history the provider keeps."""
    request = {"model": "gpt-5", "input": given, "instructions": "Help.", **fields}
    if previous:
        request["previous_response_id"] = previous
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": reply}]}
    body = {"id": id_, "model": "gpt-5", "status": "completed", "output": [message], "store": True}
    return Exchange(
        request=HttpRequest(
            method="POST", uri="https://api.openai.com/v1/responses", body=json.dumps(request).encode()
        ),
        response=HttpResponse(
            status=200, headers=(("content-type", "application/json"),), body=json.dumps(body).encode()
        ),
        started=round(at * SECOND),
        duration=SECOND,
    )


def test_a_stored_response_links_what_goes_on_from_it() -> None:
    """`previous_response_id` names the call that a request goes on from; one that was never seen is marked."""
    events = read(
        response("Hello.", "Hi.", at=0, id_="resp_1"),
        response("Something else entirely", "Sure.", at=2, id_="resp_2", previous="resp_1"),
        response("Who are you?", "Nobody.", at=4, id_="resp_3", previous="resp_unseen"),
    )
    assert members(events)[0] == members(events)[1] != members(events)[2]
    _, second, third = calls_in(events)
    assert "the provider stores" in second.linked
    assert "not in this recording" in third.unsure
    assert conversations_in(events)[-1].role is not Role.SUB_AGENT


def test_a_stored_conversation_links_its_calls() -> None:
    """The same `conversation` of the provider is one conversation."""
    events = read(
        response("Hello.", "Hi.", at=0, conversation="conv_1"),
        response("And now?", "Now.", at=2, id_="resp_2", conversation={"id": "conv_1"}),
    )
    assert members(events) == [1, 1]


def test_call_ids_that_repeat_do_not_mix_up_results() -> None:
    """Servers that number calls anew in every reply: each call gets the result of its own conversation and place."""
    one, two = asks(("call_0", "search", {"q": "a"})), asks(("call_0", "search", {"q": "b"}))
    events = read(
        exchange([TASK], one, at=0, **CLERK),
        exchange([TASK, one, tool_result("call_0", "A")], two, at=2, **CLERK),
        exchange([TASK, one, tool_result("call_0", "A"), two, tool_result("call_0", "B")], DONE, at=4, **CLERK),
    )
    assert [call.result for call in tool_calls_in(events)] == ["A", "B"]
