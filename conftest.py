"""Registers the two shipped worlds, as any project would its own: importing a module declares what is in it."""

import scenarios.research.desk
import scenarios.support.desk  # noqa: F401 - imported for its declarations
