"""Virtual time: a loop on which waiting takes no wall time, and clocks that agree with it."""

from harness.virtual.clock import VirtualClock
from harness.virtual.loop import NANOSECONDS, VirtualLoop
from harness.virtual.steering import Steering, seeded, steered, steering

__all__ = ["NANOSECONDS", "Steering", "VirtualClock", "VirtualLoop", "seeded", "steered", "steering"]
