"""What holds for all tests: no example of Hypothesis fails because a machine is slow."""

from hypothesis import HealthCheck, settings

settings.register_profile("embargo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("embargo")
