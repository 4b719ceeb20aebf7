"""What the database refuses of routes: to lead elsewhere than where they were made to lead."""

from __future__ import annotations

from flows.triggers import Rule, no_replace

RULES = (
    Rule(
        "routing_route",
        "UPDATE",
        "identity",
        "NEW.id <> OLD.id OR NEW.entity_id <> OLD.entity_id OR NEW.flow_id <> OLD.flow_id"
        " OR NEW.environment <> OLD.environment",
        "Entity, flow and environment of a route never change; make another route.",
    ),
    no_replace("routing_route", "t.id = NEW.id"),
)
