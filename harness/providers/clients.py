"""Model clients: the official SDKs do HTTP, authentication and stream decoding, our codecs read and write the JSON.

The SDKs' typed methods are not used: building and validating their own models costs milliseconds per call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import httpx2
from pydantic import JsonValue

from harness.errors import FatalError, HarnessError, ProviderError, TransientError
from harness.providers.connections import shared_connection, tls_context
from harness.records.base import JsonObject
from harness.records.message import Api, ModelReply, ModelRequest
from harness.wire.codecs import codec_for
from harness.wire.failures import broken_reply, classify

__all__ = ["ModelClient", "api_for", "connect"]


class ModelClient(Protocol):
    """Answers model requests over one protocol."""

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None] | None = None) -> ModelReply:
        """Send one request, once: retrying is the agent's.

        ``on_text`` receives the pieces of the answer as they arrive, where the request asks for a stream. Raises
        :class:`harness.errors.ProviderError`, in the class that says what to do about it.
        """
        ...


def connect(api: Api) -> ModelClient:
    """A client for a protocol, over the provider's SDK, configured as the SDK is: by its environment variables.

    Raises :class:`harness.errors.FatalError` where the SDK is not installed.
    """
    return _SdkClient(api, _OPENAI if api is not Api.ANTHROPIC_MESSAGES else _ANTHROPIC)


def api_for(model: str) -> Api:
    """The protocol that a model is spoken to by default."""
    return Api.ANTHROPIC_MESSAGES if model.startswith("claude") else Api.OPENAI_CHAT


@dataclass(frozen=True, slots=True)
class _Sdk:
    """Where the two SDKs differ; their classes and methods have the same names."""

    package: str
    client: str
    error: str
    key: str


_OPENAI = _Sdk("openai", "AsyncOpenAI", "OpenAIError", "OPENAI_API_KEY")
_ANTHROPIC = _Sdk("anthropic", "AsyncAnthropic", "AnthropicError", "ANTHROPIC_API_KEY")


class _SdkClient:
    def __init__(self, api: Api, sdk: _Sdk) -> None:
        self._codec = codec_for(api)
        self._sdk = sdk
        try:
            self._module: Any = import_module(sdk.package)
        except ModuleNotFoundError as error:
            if error.name != sdk.package:
                raise
            raise FatalError(
                f"{api} needs the package {sdk.package}; pip install 'agent-regression-harness[{sdk.package}]'"
            ) from error

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None] | None = None) -> ModelReply:
        body = self._codec.encode(request)
        try:
            client = await shared_connection(self._sdk.package, self._build)
            if request.stream:
                return self._codec.read_reply(self._codec.fold(await self._stream(client, body, on_text)).whole())
            return self._codec.read_reply(await client.post(self._codec.path, body=body, cast_to=object))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise broken_reply(f"it is not JSON: {error}") from error
        except httpx2.HTTPError as error:  # the anthropic SDK lets those through while a stream is read
            raise _unreachable(error) from error
        except TypeError as error:  # the anthropic SDK's way to say that it has no key
            if "authentication method" not in str(error):
                raise
            raise self._no_key() from error
        except getattr(self._module, self._sdk.error) as error:
            raise self._translate(error) from error

    def _build(self) -> Any:
        http = self._module.DefaultAsyncHttpxClient(verify=tls_context())
        return getattr(self._module, self._sdk.client)(max_retries=0, http_client=http)

    async def _stream(self, client: Any, body: JsonObject, on_text: Callable[[str], None] | None) -> list[JsonObject]:
        stream_class = self._module.AsyncStream[object]
        events = []
        async with await client.post(
            self._codec.path, body=body, cast_to=object, stream=True, stream_cls=stream_class
        ) as stream:
            async for event in stream:
                if not isinstance(event, dict):
                    raise broken_reply(f"an event of the stream is not an object: {str(event)[:80]!r}")
                events.append(event)
                if on_text and (piece := self._codec.text_delta(event)):
                    on_text(piece)
        return events

    def _translate(self, error: Any) -> HarnessError:
        """Our error for the SDK's."""
        module = self._module
        if isinstance(error.__cause__, HarnessError):
            return error.__cause__  # raised in the transport, wrapped by the SDK as a lost connection
        if isinstance(error, module.APIConnectionError):
            return _unreachable(error.__cause__ or error)
        if isinstance(error, module.APIStatusError):
            status = error.status_code if error.status_code >= 300 else None  # None: inside a stream, after a 200
            return classify(status, _body_of(error), error.response.headers)
        if isinstance(error, module.APIError):
            return classify(None, _body_of(error) or str(error))
        return self._no_key() if "credentials" in str(error).lower() else FatalError(f"{self._sdk.package}: {error}")

    def _no_key(self) -> ProviderError:
        return FatalError(f"the {self._sdk.package} SDK has no key; set {self._sdk.key}")


def _unreachable(error: BaseException) -> TransientError:
    reason = str(error) or "no reason given"
    return TransientError(f"the provider could not be reached, or hung up: {type(error).__name__}: {reason}")


def _body_of(error: Any) -> JsonValue:
    body: JsonValue = error.body
    return body
