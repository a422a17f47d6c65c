"""What stands for content that is not text."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from harness.wire.media import describe_content, describe_media, without_media
from harness.wire.prompts import join_text

DATA = base64.b64encode(bytes(2048)).decode()
ODD = base64.b64encode(bytes(1)).decode()
PNG = f"data:image/png;base64,{DATA}"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}, "image/png, 2,048 bytes"),
        ({"type": "image_url", "image_url": {"url": "https://a/b.png"}}, "image at https://a/b.png"),
        ({"type": "input_image", "image_url": PNG}, "image/png, 2,048 bytes"),
        ({"type": "input_image", "file_id": "file_1"}, "image, stored as file_1"),
        ({"type": "computer_screenshot", "image_url": "data:image/png,%89PNG"}, "image/png, 4 bytes"),
        ({"type": "input_audio", "input_audio": {"format": "wav", "data": ODD}}, "audio/wav, 1 byte"),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": DATA}}, "a.pdf, 2,048 bytes"),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"},
            "a.pdf, application/pdf, 2,048 bytes",
        ),
        ({"type": "input_file", "file_url": "https://a/b.pdf"}, "file at https://a/b.pdf"),
        ({"type": "file", "file": {"file_id": "file_1"}}, "file, stored as file_1"),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": DATA}},
            "image/gif, 2,048 bytes",
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, "image, stored as file_1"),
        ({"type": "document", "source": {"type": "url", "url": "https://a/b"}, "title": "T"}, "T at https://a/b"),
        ({"type": "image", "data": DATA, "mimeType": "image/webp"}, "image/webp, 2,048 bytes"),
        ({"type": "text", "text": "x"}, ""),
        ({"type": "web_search_result", "url": "https://a", "title": "T"}, ""),
    ],
)
def test_media_are_described_by_type_and_size(part: dict[str, Any], expected: str) -> None:
    """In every protocol's form: inline, at an address, stored at the provider."""
    assert describe_media(part) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi."}},
            "[document]\nHi.",
        ),
        (
            {
                "type": "document",
                "title": "T",
                "source": {"type": "content", "content": [{"type": "text", "text": "Hi."}]},
            },
            "[document: T]\nHi.",
        ),
        (
            {
                "type": "search_result",
                "title": "T",
                "source": "https://a",
                "content": [{"type": "text", "text": "Hi."}],
            },
            "[search result: T, https://a]\nHi.",
        ),
        ({"type": "tool_reference", "tool_name": "find"}, '[tool_reference] {"tool_name": "find"}'),
        ({"type": "hologram", "x": {"data": DATA, "media_type": "a/b"}}, '[hologram] {"x": "[a/b, 2,048 bytes]"}'),
        ({"stdout": "a.txt", "stderr": ""}, '{"stdout": "a.txt", "stderr": ""}'),
        ({"type": "refusal", "refusal": "No."}, "No."),
        ({"type": "hologram", "cache_control": {}}, "[hologram]"),
    ],
)
def test_other_content_keeps_its_text(part: dict[str, Any], expected: str) -> None:
    """Documents and search results are their texts; what is not known is its JSON."""
    assert describe_content(part) == expected


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {"url": PNG}}],
        [{"type": "input_text", "text": "See:"}, {"type": "input_image", "image_url": PNG}],
        [
            {"type": "text", "text": "See:"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
        ],
    ],
)
def test_a_message_with_an_image_says_so(content: list[Any]) -> None:
    """In the messages of all three protocols alike."""
    assert join_text(content, "\n") == "See:\n[image/png, 2,048 bytes]"


def test_a_content_that_is_one_object_is_read_as_well() -> None:
    """A screenshot is handed back as an object, not as a list."""
    assert join_text({"type": "computer_screenshot", "image_url": PNG}, "\n") == "[image/png, 2,048 bytes]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [PNG]}, {"a": ["[image/png, 2,048 bytes]"]}),
        ({"inlineData": {"mimeType": "image/png", "data": DATA}}, {"inlineData": "[image/png, 2,048 bytes]"}),
        ({"bytes": DATA}, {"bytes": "[2,048 bytes in base64]"}),
        ({"media_type": "text/plain", "data": "Hi."}, {"media_type": "text/plain", "data": "Hi."}),
        ({"text": "word " * 200, "n": 1}, {"text": "word " * 200, "n": 1}),
        ("short", "short"),
    ],
)
def test_json_is_freed_of_media_only(value: Any, expected: Any) -> None:
    """Texts and numbers stay as they are."""
    assert without_media(value) == expected
