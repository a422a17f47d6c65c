"""Virtual time: a loop on which waiting takes no wall time, and clocks that agree with it."""

from harness.virtual.clock import VirtualClock
from harness.virtual.loop import VirtualLoop

__all__ = ["VirtualClock", "VirtualLoop"]
