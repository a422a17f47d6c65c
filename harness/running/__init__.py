"""Runs one trial: a subject answers while its traffic is routed, and the trace is read off the wire."""

from __future__ import annotations

from harness.running.trial import Ran, run_trial

__all__ = ["Ran", "run_trial"]
