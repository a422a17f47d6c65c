"""Everything that speaks to a model provider: clients over the official SDKs, and a simulated provider."""

from harness.providers.clients import ModelClient, api_for, connect

__all__ = ["ModelClient", "api_for", "connect"]
