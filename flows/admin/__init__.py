"""The admin's pages of flows, one module per thing."""

from flows.admin import entities, flows, people, runs, versions

__all__ = ["entities", "flows", "people", "runs", "versions"]
