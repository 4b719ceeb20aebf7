"""The admin's pages of routing, one module per thing."""

from routing.admin import channels, routes

__all__ = ["channels", "routes"]
