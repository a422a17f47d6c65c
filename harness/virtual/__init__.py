"""Virtual time: a loop on which waiting takes no wall time, and clocks that agree with it."""

from harness.virtual.clock import VirtualClock
from harness.virtual.handing import IN_THREAD, handed_on
from harness.virtual.loop import NANOSECONDS, VirtualLoop
from harness.virtual.sources import Steering, steering
from harness.virtual.stdlib import seeded, steered
from harness.virtual.watchdog import EndlessTrial, watched
from harness.virtual.zone import current_zone, zoned

__all__ = [
    "IN_THREAD",
    "NANOSECONDS",
    "EndlessTrial",
    "Steering",
    "VirtualClock",
    "VirtualLoop",
    "current_zone",
    "handed_on",
    "seeded",
    "steered",
    "steering",
    "watched",
    "zoned",
]
