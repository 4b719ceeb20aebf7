"""The admin's pages of integrations, one module per thing."""

from integrations.admin import connections, endpoints, keys

__all__ = ["connections", "endpoints", "keys"]
