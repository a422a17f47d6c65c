"""What holds for all tests."""

from hypothesis import HealthCheck, Phase, settings

# A machine that is busy with other things is slow, and that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("patient"), max_examples=2_000)
settings.register_profile("unshrunk", settings.get_profile("patient"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("patient")
