"""The commands for writing scenarios and recording without a key: schema, provider."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from harness.commands.console import Commands, add_command, say
from harness.errors import ExitCode

__all__ = ["add"]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Declare them."""
    add_command(commands, "schema", _schema, "print the JSON Schema of scenario files")

    provider = add_command(commands, "provider", _provider, "serve a simulated provider from scripts")
    provider.add_argument("--script", type=Path, action="append", required=True, metavar="F", help="a script or folder")
    provider.add_argument("--port", type=int, required=True, metavar="N", help="0 takes a free one")
    provider.add_argument("--seed", type=int, default=0, metavar="S", help="draws among a script's variants")


def _schema(_arguments: argparse.Namespace) -> ExitCode:
    from harness.loading import scenario_schema

    say(json.dumps(scenario_schema(), indent=2, ensure_ascii=False))
    return ExitCode.OK


def _provider(arguments: argparse.Namespace) -> ExitCode:
    import asyncio

    from harness.providers.simulated import serve

    def announce(url: str) -> None:
        say(f"simulated provider on {url}\n")
        say(f"OPENAI_BASE_URL={url}/v1 ANTHROPIC_BASE_URL={url}", flush=True)

    asyncio.run(serve(arguments.script, port=arguments.port, seed=arguments.seed, on_ready=announce))
    return ExitCode.OK
