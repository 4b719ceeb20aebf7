"""Fixtures of the door."""

from tests.integrations.doors import loopback, names, serve

__all__ = ["loopback", "names", "serve"]
