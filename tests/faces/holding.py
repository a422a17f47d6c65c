"""What the JSON in a cassette holds, read by its keys and not by our codecs."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cassettes import load_cassette
from harness.pipeline.showing import show_file
from harness.records.exchange import Cassette
from harness.settings import load_project

__all__ = ["PDF", "PIXEL", "Body", "missing"]

NOT_SAID = {
    "type", "object", "role", "id", "item_id", "call_id", "tool_use_id", "tool_call_id", "toolUseId", "responseId",
    "request_id", "response_id", "model", "modelVersion", "status", "finish_reason", "native_finish_reason",
    "finishReason", "stop_reason", "stopReason", "stop_sequence", "stop_sequences", "signature", "encrypted_content",
    "obfuscation", "phase", "namespace", "execution", "detail", "param", "user", "provider", "include",
    "system_fingerprint", "service_tier", "truncation", "previous_response_id", "prompt_cache_retention",
    "anthropic_version", "media_type", "mimeType", "container_id", "approval_request_id", "data",
}  # fmt: skip
"""What is no text, thought, call, argument, error or image."""
SKIPPED = {
    "tools", "tool_choice", "toolConfig", "functions", "response_format", "output_config", "usage", "usageMetadata",
    "metadata", "generationConfig", "inferenceConfig", "billing", "logprobs", "caller",
    "content_filter_results", "prompt_filter_results", "include", "stop_sequences", "cache_control",
}  # fmt: skip
"""Settings and definitions, and what a provider counts."""
PLACES = {"index", "output_index", "content_index", "summary_index"}
"""Fields by which a stream says which of its texts an event goes on with."""

PIXEL = base64.b64encode(b"\x89PNG" + bytes(66)).decode()
PDF = base64.b64encode(b"%PDF" + bytes(2000)).decode()

Keys = tuple[object, ...]
Body = dict[str, Any]


def bodies(cassette: Cassette) -> Iterator[Any]:
    """The JSON of each request and response; of a stream, the list of its events."""
    for exchange in cassette.exchanges:
        for body in (exchange.request.body, exchange.response.body):
            text = body.decode(errors="replace")
            if text.lstrip().startswith(("data:", "event:", ":")):
                lines = (line[5:].strip() for line in text.splitlines() if line.startswith("data:"))
                yield [json.loads(line) for line in lines if line.startswith("{")]
            elif text.lstrip().startswith("{"):
                yield json.loads(text)


def texts(value: Any, path: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """Each text with the keys that lead to it, and with the places of a stream's pieces."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts(item, (*path, number))
    elif isinstance(value, dict):
        where = (*path, *sorted((key, value[key]) for key in PLACES & value.keys()))
        for key, item in value.items():
            is_settings = key in ("reasoning", "thinking", "text") and isinstance(item, dict)
            if key not in SKIPPED and not is_settings:
                yield from texts(item, (*where, key))
    elif isinstance(value, str) and path and path[-1] not in NOT_SAID:
        yield path, value


def size_of(data: str) -> int:
    """The bytes that a text in base64 stands for; some recordings have cut theirs."""
    plain = data.translate(str.maketrans("-_", "+/"))
    return len(base64.b64decode(plain[: len(plain) // 4 * 4]))


def media(value: Any) -> Iterator[tuple[str, int]]:
    """Each image or file that stands in the JSON, by media type and size."""
    if isinstance(value, list):
        for item in value:
            yield from media(item)
    elif isinstance(value, dict):
        kind = value.get("media_type") or value.get("mimeType")
        if value.get("type") == "image_generation_call":
            yield "image/png", size_of(value["result"])
        if kind and kind != "text/plain" and isinstance(value.get("data"), str):
            yield kind, size_of(value["data"])
        for item in value.values():
            yield from media(item)
    elif isinstance(value, str) and value.startswith("data:"):
        kind, _, data = value.removeprefix("data:").partition(";base64,")
        yield kind, size_of(data)


def said(cassette: Cassette) -> Iterator[str]:
    """All that the JSON says, the pieces put together that events of one type bring for one place."""
    for body in bodies(cassette):
        joined: dict[Keys, str] = defaultdict(str)
        for event in body if isinstance(body, list) else [body]:
            for path, text in texts(event):
                joined[event.get("type"), *path] += text
        for text in joined.values():
            yield from leaves(text)


def leaves(text: str) -> Iterator[str]:
    """A text; of one that is JSON, the keys and values in it."""
    if text.startswith("data:") or text == PIXEL:
        return
    try:
        value = json.loads(text) if text.lstrip().startswith(("{", "[")) else text
    except ValueError:
        value = text
    yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(key, str) and isinstance(item, int | float | bool | None):
            yield f'"{key}": {json.dumps(item)}'
        yield from _leaves(item)


def squeezed(text: str) -> str:
    """The text without white space, which a terminal lays out anew."""
    return "".join(text.split())


def missing(file: Path) -> list[str]:
    """What the file holds and `harness show` does not print."""
    cassette = load_cassette(file)
    (output,) = show_file(load_project(file.parent, {}), file)
    shown = squeezed(output)
    lacks = []
    for text in said(cassette):
        forms = (text, json.dumps(text, ensure_ascii=False)[1:-1])
        if not any(squeezed(form) in shown for form in forms):
            lacks.append(text)
    for body in bodies(cassette):
        lacks += [
            f"{kind}, {size} bytes" for kind, size in media(body) if squeezed(f"{kind}, {size:,} byte") not in shown
        ]
    return lacks
