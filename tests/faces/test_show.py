"""`harness show` prints all that a cassette holds: checked against the JSON of real traffic, not against our codecs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cassettes import load_cassette, save_cassette
from harness.records.exchange import Cassette, Ending, Exchange, HttpResponse
from tests.faces.holding import PDF, PIXEL, Body, missing

SHARED = Path(__file__).parents[3] / "shared" / "recordings" / "cassettes"
FILES = sorted(SHARED.glob("*")) if SHARED.is_dir() else []
NO_FILES = "the shared recordings are not here"


def named(name: str) -> Path:
    """The recording whose name begins so."""
    if not FILES:
        pytest.skip(NO_FILES)
    return next(file for file in FILES if file.name.startswith(name))


def edited(name: str, tmp_path: Path, change: Callable[[Body, Body], None]) -> Path:
    """A recording with the JSON of its last exchange changed: request and response."""
    cassette = load_cassette(named(name))
    *before, last = cassette.exchanges
    asked, answered = json.loads(last.request.body), json.loads(last.response.body)
    change(asked, answered)
    request = last.request.model_copy(update={"body": json.dumps(asked).encode()})
    response = last.response.model_copy(update={"body": json.dumps(answered).encode()})
    exchanges = (*before, last.model_copy(update={"request": request, "response": response}))
    return saved(tmp_path, exchanges)


def saved(tmp_path: Path, exchanges: tuple[Exchange, ...]) -> Path:
    """A cassette of these exchanges."""
    file = tmp_path / "edited.yaml"
    save_cassette(file, Cassette(exchanges=exchanges))
    return file


def message_of(answered: Body) -> Body:
    """The message of a Chat Completions reply."""
    message: Body = answered["choices"][0]["message"]
    return message


def refuse(_: Body, answered: Body) -> None:
    """Chat: a refusal beside an empty text, and thoughts in pieces."""
    details = [
        {"type": "reasoning.summary", "summary": "That is not allowed, I think.", "index": 0},
        {"type": "reasoning.encrypted", "data": "c2VjcmV0", "index": 1},
    ]
    message_of(answered).update(content=None, refusal="I can't help with that.", reasoning_details=details)


def speak(_: Body, answered: Body) -> None:
    """Chat: audio with its transcript, a generated image, and a source."""
    source = {
        "type": "url_citation",
        "url_citation": {"url": "https://example.org/a", "title": "A page", "content": "So."},
    }
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    audio = {"id": "audio_1", "data": PDF, "transcript": "Good morning to you.", "expires_at": 1}
    message_of(answered).update(audio=audio, images=[image], annotations=[source])


def attach(asked: Body, _: Body) -> None:
    """Chat: a user's message with an image, a file and audio."""
    asked["messages"][-1]["content"] = [
        {"type": "text", "text": "What are these?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
        {"type": "file", "file": {"filename": "terms.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": PIXEL}},
    ]


def hide_thoughts(_: Body, answered: Body) -> None:
    """Anthropic: a thought that is withheld, one that is not, and a block of a type that nobody knows."""
    answered["content"] = [
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "thinking", "thinking": "Now the second thought.", "signature": "s"},
        {"type": "text", "text": "Mexico City."},
        {"type": "hologram", "data": "x"},
    ]


def return_more_than_text(asked: Body, _: Body) -> None:
    """Anthropic: a tool's result with an image, documents, a search result and an error."""
    (result,) = (block for block in asked["messages"][-1]["content"] if block["type"] == "tool_result")
    result["is_error"] = True
    result["content"] = [
        {"type": "text", "text": "This is on the screen:"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        {
            "type": "document",
            "title": "Terms",
            "source": {"type": "text", "media_type": "text/plain", "data": "Be fair."},
        },
        {
            "type": "search_result",
            "source": "https://example.org",
            "title": "Hit",
            "content": [{"type": "text", "text": "Found."}],
        },
    ]


def run_code(_: Body, answered: Body) -> None:
    """Anthropic: text, code at the provider, text, its sources, and a call of a tool."""
    output = {
        "type": "code_execution_result",
        "stdout": "42 is out",
        "stderr": "and a warning",
        "return_code": 0,
        "content": [],
    }
    cited = {"type": "char_location", "cited_text": "forty-two", "document_title": "Guide", "document_index": 0}
    answered["content"] = [
        {"type": "text", "text": "Let me compute."},
        {"type": "server_tool_use", "id": "srv_1", "name": "code_execution", "input": {"code": "print(6 * 7)"}},
        {"type": "code_execution_tool_result", "tool_use_id": "srv_1", "content": output},
        {"type": "text", "text": "It is 42.", "citations": [cited]},
        {"type": "tool_use", "id": "tu_9", "name": "note", "input": {"number": 42, "why": "asked"}},
    ]


def use_mcp(asked: Body, answered: Body) -> None:
    """Responses: a server's tools, an approval asked and given, its call, and a refusal."""
    asked["input"] = [
        {"role": "user", "content": "Ask the wiki."},
        {"type": "mcp_approval_request", "id": "apr_1", "server_label": "wiki", "name": "ask", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "apr_1", "approve": True, "reason": "It is harmless."},
    ]
    answered["output"] = [
        {"type": "mcp_list_tools", "id": "l", "server_label": "wiki", "tools": [{"name": "ask"}, {"name": "search"}]},
        {
            "type": "mcp_call",
            "id": "m",
            "server_label": "wiki",
            "name": "ask",
            "arguments": '{"q": "tides"}',
            "output": "Twice a day.",
        },
        {
            "type": "mcp_approval_request",
            "id": "a",
            "server_label": "wiki",
            "name": "search",
            "arguments": '{"words": "moon"}',
        },
        {
            "type": "message",
            "id": "r",
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "Not without leave."}],
        },
    ]


def use_tools_of_the_provider(_: Body, answered: Body) -> None:
    """Responses: reasoning, an image, code and a file search between two texts."""
    answered["output"] = [
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "First, draw."}], "content": []},
        {
            "type": "message",
            "id": "1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Here it is.", "annotations": []}],
        },
        {
            "type": "image_generation_call",
            "id": "i",
            "status": "completed",
            "result": PIXEL,
            "revised_prompt": "A cat.",
        },
        {
            "type": "code_interpreter_call",
            "id": "c",
            "code": "1 + 1",
            "container_id": "k",
            "outputs": [{"type": "logs", "logs": "two"}],
        },
        {
            "type": "file_search_call",
            "id": "f",
            "queries": ["cats"],
            "results": [{"text": "Cats purr.", "filename": "cats.md"}],
        },
        {
            "type": "message",
            "id": "2",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A cat.", "annotations": []}],
        },
    ]


def use_a_computer(asked: Body, answered: Body) -> None:
    """Responses: a screenshot and a shell's output handed back, and a patch asked for."""
    asked.pop("previous_response_id", None)
    asked["input"] = [
        {"role": "user", "content": "Look."},
        {"type": "computer_call", "call_id": "c1", "action": {"type": "screenshot"}},
        {
            "type": "computer_call_output",
            "call_id": "c1",
            "output": {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXEL}"},
        },
        {"type": "shell_call", "call_id": "c2", "action": {"commands": ["ls -l"]}},
        {
            "type": "shell_call_output",
            "call_id": "c2",
            "output": [{"stdout": "a.txt", "stderr": "no b", "outcome": {"type": "exit", "exit_code": 0}}],
        },
    ]
    operation = {"type": "update_file", "path": "a.txt", "diff": "+ more"}
    answered["output"] = [
        {"type": "apply_patch_call", "id": "p", "call_id": "c3", "operation": operation, "status": "completed"}
    ]


def choose(_: Body, answered: Body) -> None:
    """Chat: a second choice with a thought and a tool call."""
    call = {"id": "c", "type": "function", "function": {"name": "other_tool", "arguments": '{"n": 2}'}}
    second = {"role": "assistant", "content": "Or this.", "reasoning": "Another way.", "tool_calls": [call]}
    answered["choices"].append({"index": 1, "message": second, "finish_reason": "tool_calls"})


EDITS = (
    ("01", refuse),
    ("01", speak),
    ("01", attach),
    ("27", hide_thoughts),
    ("24", return_more_than_text),
    ("23", run_code),
    ("14", use_mcp),
    ("14", use_tools_of_the_provider),
    ("15", use_a_computer),
)


RECORDINGS = [pytest.param(file, id=file.name) for file in FILES] or [
    pytest.param(None, marks=pytest.mark.skip(reason=NO_FILES))
]


@pytest.mark.parametrize("file", RECORDINGS)
def test_everything_that_a_recording_holds_is_shown(file: Path) -> None:
    """Every text, thought, call, argument, error and image of real traffic stands in the output."""
    assert missing(file) == []


@pytest.mark.parametrize(("name", "change"), EDITS, ids=[change.__name__ for _, change in EDITS])
def test_everything_that_such_traffic_may_hold_is_shown(
    name: str, change: Callable[[Body, Body], None], tmp_path: Path
) -> None:
    """So does what the recordings have no example of, put into them."""
    file = edited(name, tmp_path, change)
    assert file.read_bytes() != named(name).read_bytes()
    assert missing(file) == []


def test_further_choices_are_shown(tmp_path: Path) -> None:
    """All choices of a reply, with their calls."""
    assert missing(edited("01", tmp_path, choose)) == []


@pytest.mark.parametrize("name", ["06", "18", "29", "30"])
@pytest.mark.parametrize("again", [False, True], ids=["failed", "sent again"])
def test_what_a_cut_stream_brought_is_shown(name: str, again: bool, tmp_path: Path) -> None:
    """Texts, thoughts and calls of a stream that broke off, whether or not the request was sent again."""
    exchange = load_cassette(named(name)).exchanges[0]
    events = exchange.response.body.split(b"\n\n")
    body = b"\n\n".join(events[: len(events) * 3 // 4]) + b"\n\n"
    headers = (("content-type", "application/json"),)
    cut = exchange.response.model_copy(update={"body": body, "ending": Ending.CUT})
    down = HttpResponse(status=500, headers=headers, body=b'{"error": {"message": "We are down."}}')
    answers = (cut, down) if again else (cut,)
    exchanges = tuple(exchange.model_copy(update={"response": answer}) for answer in answers)
    assert missing(saved(tmp_path, exchanges)) == []


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "reasoning_details"])
def test_thoughts_of_a_chat_stream_are_shown(field: str, tmp_path: Path) -> None:
    """Pieces that come before the text, under the names that servers give them."""
    exchange = load_cassette(named("05")).exchanges[-1]
    first, _, rest = exchange.response.body.partition(b"\n\n")
    event = json.loads(first.removeprefix(b"data:"))
    added = []
    for piece in ("First I ", "think."):
        details = [{"type": "reasoning.text", "text": piece, "index": 0}]
        event["choices"][0]["delta"] = {field: details if field == "reasoning_details" else piece}
        added.append(b"data: " + json.dumps(event).encode())
    body = b"\n\n".join([first, *added, rest])
    response = exchange.response.model_copy(update={"body": body})
    assert missing(saved(tmp_path, (exchange.model_copy(update={"response": response}),))) == []
