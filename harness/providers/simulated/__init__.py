"""A real HTTP server that speaks the providers' protocols and answers from scripts: see docs/simulated-provider.md."""

from harness.providers.simulated.script import Script, load_script, load_scripts
from harness.providers.simulated.server import running_provider, serve

__all__ = ["Script", "load_script", "load_scripts", "running_provider", "serve"]
