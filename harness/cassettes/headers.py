"""The request headers that an answer depends on: cassettes keep them, and matching compares them.

Left out on purpose: credentials and what stands for them (``x-portkey-virtual-key``), who pays
(``openai-organization``, ``openai-project``), and what a gateway logs, caches or waits for (``cf-aig-*``,
``helicone-property-*``, ``x-portkey-metadata``, ``x-litellm-timeout``): two people send these differently, and get the
same answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from pydantic import JsonValue

from harness.records.exchange import CassetteMetadata, Exchange, Headers

__all__ = ["KEPT", "LISTED", "compared_headers", "default_list", "kept_value", "list_of", "mark_unknown"]

_BETAS = ("anthropic-beta", "openai-beta", "x-anthropic-beta", "x-pass-anthropic-beta", "x-portkey-anthropic-beta")
_SETTINGS = frozenset(
    {
        *_BETAS,
        "anthropic-version",
        "azureml-model-deployment",
        "extra-parameters",  # Azure: whether unknown fields are passed on, dropped, or an error
        "helicone-llm-security-enabled",
        "helicone-moderations-enabled",
        "helicone-openai-api-base",
        "helicone-target-provider",
        "helicone-target-url",
        "helicone-token-limit-exception-handler",
        "x-amzn-bedrock-guardrailidentifier",
        "x-amzn-bedrock-guardrailversion",
        "x-bt-endpoint-name",
        "x-litellm-tags",
        "x-portkey-anthropic-version",
        "x-portkey-azure-api-version",
        "x-portkey-azure-deployment-id",
        "x-portkey-config",
        "x-portkey-custom-host",
        "x-portkey-forward-headers",
        "x-portkey-provider",
        "x-portkey-strict-open-ai-compliance",
    }
)
"""What a provider or a gateway is told beside the body."""
_OTHERS = frozenset(
    {
        "accept",
        "accept-language",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "notion-version",
        "range",
        "stripe-version",
        "x-amz-target",  # the operation, where all of them have one address
        "x-api-version",
        "x-github-api-version",
        "x-goog-fieldmask",
    }
)
"""What picks the answer of any other service. SDKs send some of it with model calls as well, where it picks nothing."""
_COMPARED = _SETTINGS | _OTHERS
KEPT = _COMPARED | {"content-type"}
"""The request headers that a cassette keeps."""

_LISTS = frozenset({*_BETAS, "x-litellm-tags", "x-portkey-forward-headers"})
"""Lists whose order says nothing."""
_RANGES = frozenset({"accept", "accept-language"})
_ANYTHING = ("*/*", "*")
"""What clients send who ask for nothing in particular; others then send no header, which means the same."""
_CREDENTIAL = re.compile("key|secret|token|password|authorization", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?!\*/\*$)[\W_]*(redacted|placeholder|dummy|filtered|scrubbed|hidden|fake|x{3,})?[\W_]*", re.IGNORECASE
)
"""What other tools are told to write in place of a value."""

LISTED = 2
"""The number of the list above. A cassette says which list it was recorded by."""
_FIRST = frozenset({"accept", "anthropic-beta", "anthropic-version", "openai-beta"})
_UNKNOWN = {0: _COMPARED, 1: _COMPARED - _FIRST, LISTED: frozenset[str]()}
"""By each list, of 0 for another tool's: the headers that may have been sent and not kept."""


def compared_headers(headers: Headers, unknown: frozenset[str], *, is_model_api: bool) -> Headers:
    """The headers that count in matching, sorted, each in one form for all that say the same.

    Those in ``unknown`` do not count: of them it is not known whether they were sent with the other request.
    """
    counted = _counted(is_model_api, unknown)
    found = tuple([pair for pair in headers if pair[0] in counted])
    return _as_compared(found) if found else ()


def kept_value(name: str, value: str) -> str:
    """A header as a cassette may keep it, beside the masks that every text gets: a gateway's config may hold keys."""
    if name != "x-portkey-config":
        return value
    try:
        data = json.loads(value)
    except (ValueError, RecursionError):
        return value  # the id of one
    return json.dumps(_without_credentials(data), sort_keys=True)


def mark_unknown(exchanges: Sequence[Exchange], number: int, *, alike: bool) -> tuple[Exchange, ...]:
    """Exchanges that were read from a file, with the headers of which it can't say whether they were sent.

    ``number`` is that of the file's list. ``alike``: one tool recorded them all, so it kept in all what it kept in one.
    """
    unknown = _UNKNOWN[number]
    if not unknown:
        return tuple(exchanges)
    held = [frozenset(_held(each.request.headers)) for each in exchanges]
    if alike:
        held = [frozenset[str]().union(*held)] * len(held)
    return tuple(
        each.model_copy(update={"unknown_headers": unknown - names})
        for each, names in zip(exchanges, held, strict=True)
    )


def default_list(metadata: CassetteMetadata | None) -> int:
    """The number of the list of a file that names none: imported, or recorded by us before there was a second."""
    return 0 if metadata is None else 1


def list_of(exchanges: Iterable[Exchange]) -> int:
    """The number of the longest list by which all of the exchanges were kept."""
    unknown = frozenset[str]().union(*(each.unknown_headers for each in exchanges))
    return next(number for number in (LISTED, 1, 0) if unknown <= _UNKNOWN[number])


@lru_cache(maxsize=16)
def _counted(is_model_api: bool, unknown: frozenset[str]) -> frozenset[str]:
    return (_SETTINGS if is_model_api else _COMPARED) - unknown


def _held(headers: Headers) -> Iterator[str]:
    return (name for name, value in headers if name in _COMPARED and not _PLACEHOLDER.fullmatch(value))


@lru_cache(maxsize=256)
def _as_compared(headers: Headers) -> Headers:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    said = ((name, _said(name, value)) for name, value in sorted(joined.items()))
    return tuple(pair for pair in said if pair[1])


def _said(name: str, value: str) -> str:
    if name in _LISTS:
        return ", ".join(sorted({part.strip() for part in value.split(",")} - {""}))
    if name in _RANGES:
        said = ", ".join(part.strip().lower() for part in value.split(","))
        return "" if said in _ANYTHING else said
    return kept_value(name, value.strip())


def _without_credentials(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {
            name: "*masked*" if _CREDENTIAL.search(name) and isinstance(item, str) else _without_credentials(item)
            for name, item in value.items()
        }
    return [_without_credentials(item) for item in value] if isinstance(value, list) else value
