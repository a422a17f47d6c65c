"""The recorded desk, as the tests of the faces know it."""

from tests.faces.conftest import desk, recorded

__all__ = ["desk", "recorded"]
