"""Virtual time: a loop on which waiting takes no wall time, and clocks that agree with it."""

from harness.virtual.clock import VirtualClock
from harness.virtual.handing import IN_THREAD, handed_on
from harness.virtual.loop import NANOSECONDS, VirtualLoop
from harness.virtual.sources import Steering, steering
from harness.virtual.stdlib import seeded, steered

__all__ = [
    "IN_THREAD",
    "NANOSECONDS",
    "Steering",
    "VirtualClock",
    "VirtualLoop",
    "handed_on",
    "seeded",
    "steered",
    "steering",
]
