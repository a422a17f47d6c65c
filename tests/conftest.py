"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A machine that is busy with other things is slow, and that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
