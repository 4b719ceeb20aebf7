"""The admin's pages of flows, one module per thing."""

from flows.admin import changes, entities, flows, people, runs, versions

__all__ = ["changes", "entities", "flows", "people", "runs", "versions"]
