"""What holds for all tests."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

# A machine that is busy with other things is slow, and that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("patient"), max_examples=2_000)
settings.register_profile("unshrunk", settings.get_profile("patient"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs deaf to Control-C, and so would be each command that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TOGETHER = (
    "tests/frameworks/",
    "tests/faces/test_programs.py",
    "tests/faces/test_programs_endpoint.py",
    "tests/faces/test_shipped.py",
    "tests/faces/test_traces.py",
    "tests/crash/test_accepting.py",
)
"""Where the tests of a file share a recording that costs more than to run them one after the other."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under ``-n``, what shares a dear recording goes to one process, first; all else to whoever is free.

    Not ``--dist=loadgroup``: xdist 3.8 loses its groups under pytest 9.2 (pytest-dev/pytest-xdist#1386).
    """
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0] if nodeid.startswith(_TOGETHER) else nodeid

    return Sharing(config, log)
