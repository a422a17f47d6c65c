"""Test functions of a user's own over our cassettes: pytest-recording's marker, fixtures and flags."""
