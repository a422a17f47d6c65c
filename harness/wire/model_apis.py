"""Knows model APIs by their addresses that we do not read, so that their calls are not taken for other traffic."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["can_call_tools", "name_model_api", "takes_tokens"]

_BY_PATH = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r":(stream)?[gG]enerateContent$", "Gemini"),
        (r":(batch)?[eE]mbedContents?$", "Gemini embeddings"),
        (r":(stream)?[rR]awPredict$|:predict$", "Vertex AI"),
        (r"/model/[^/]+/converse(-stream)?$", "Bedrock Converse"),
        (r"/model/[^/]+/invoke(-with-response-stream)?$", "Bedrock Invoke"),
        (r"/messages/batches(/|$)|/v1/batches(/|$)|:batchGenerateContent$", "batches"),
        (r"/messages/count_tokens$|/responses/input_tokens$|:countTokens$", "token count"),
        (r"/responses/compact$", "compacted responses"),
        (r"/responses/[^/]+/input_items$", "stored inputs"),
        (r"/responses/[^/]+(/cancel)?$", "stored responses"),
        (r"/chat/completions/[^/]+$", "stored completions"),
        (r"/v1/conversations(/|$)", "stored conversations"),
        (r"/v1/threads(/|$)", "Assistants"),
        (r"/chat/completions$|/v1/(messages|responses)$", "a request that can't be read"),
        (r"/embeddings$|/api/embed$", "embeddings"),
        (r"/moderations$", "moderation"),
        (r"/(?<!chat/)completions$", "completions"),
        (r"/images/(generations|edits|variations)$", "images"),
        (r"/audio/(speech|transcriptions|translations)$", "audio"),
        (r"/v\d/rerank$", "rerank"),
        (r"/v2/chat$", "Cohere chat"),
        (r"/api/(chat|generate)$", "Ollama"),
    )
)


_WITHOUT_TOOLS = frozenset(
    {"Gemini embeddings", "token count", "stored inputs", "embeddings", "moderation", "images", "audio", "rerank"}
)


_WITHOUT_TOKENS = frozenset(
    {"token count", "stored inputs", "stored responses", "stored completions", "stored conversations", "moderation"}
)


def takes_tokens(api: str) -> bool:
    """Whether a call of a model API, by its name here, is billed."""
    return bool(api) and api not in _WITHOUT_TOKENS


def can_call_tools(api: str) -> bool:
    """Whether a reply of a model API, by its name here, may ask for tools."""
    return bool(api) and api not in _WITHOUT_TOOLS


def name_model_api(uri: str) -> str:
    """The model API that an address belongs to, in words; empty where it is none that we know."""
    path = urlsplit(uri).path
    return next((name for pattern, name in _BY_PATH if pattern.search(path)), "")
