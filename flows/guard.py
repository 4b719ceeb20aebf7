"""What the database refuses of flows: another content, version, decision or record than Chatflow wrote (flows/triggers.py)."""

from __future__ import annotations

from flows.triggers import Rule, is_old, never, no_replace, unrecorded

ARROWS = (
    ("submit", "", "submitted"),
    ("approve", "submitted", "approved"),
    ("decline", "submitted", "declined"),
    ("recall", "submitted", "recalled"),
    ("withdraw", "approved", "declined"),
    ("deploy", "approved", "deployed"),
    ("deploy", "retired", "deployed"),
    ("retire", "deployed", "retired"),
)
"""Name, from, to. Spelled out here, apart from lifecycle.TRANSITIONS, so that one mistake doesn't open both walls."""

_ARROWS_SQL = ", ".join(f"('{name}', '{source}', '{target}')" for name, source, target in ARROWS)
_VERSION = "SELECT 1 FROM flows_version v WHERE v.id = NEW.version_id"
_DECISION = "SELECT 1 FROM flows_decision d WHERE d.version_id"
_LATEST = "SELECT MAX(l.id) FROM flows_decision l WHERE l.version_id = OLD.id"
_CONTRIBUTOR = "SELECT 1 FROM flows_contributor c WHERE c.version_id = NEW.version_id"
_CHANGE = "SELECT 1 FROM flows_change c WHERE c.entity_id"
_EDIT = "SELECT 1 FROM flows_edit e WHERE e.subject"

RULES = (
    # A content is written once, and its key is its hash.
    never("flows_content", "UPDATE", "A content never changes."),
    Rule(
        "flows_content", "INSERT", "hash", "{sha256} <> NEW.sha256", "The key of a content is the SHA-256 of its text."
    ),
    Rule(
        "flows_content",
        "DELETE",
        "delete",
        "EXISTS (SELECT 1 FROM flows_version v WHERE v.content_id = OLD.sha256)",
        "A version holds this content; it stays.",
    ),
    no_replace("flows_content", "t.sha256 = NEW.sha256"),
    # A version begins as submitted, and only its status ever changes, each time with a decision that says so.
    Rule(
        "flows_version",
        "INSERT",
        "insert",
        "NEW.status <> 'submitted'",
        "A version begins as submitted.",
        turn="(SELECT f.entity_id FROM flows_flow f WHERE f.id = NEW.flow_id)",
    ),
    Rule(
        "flows_version",
        "UPDATE",
        "frozen",
        "NEW.id <> OLD.id OR NEW.flow_id <> OLD.flow_id OR NEW.number <> OLD.number OR NEW.content_id <> OLD.content_id"
        " OR NEW.summary <> OLD.summary OR NEW.submitted_by_id <> OLD.submitted_by_id"
        " OR NEW.submitted_at <> OLD.submitted_at OR NEW.changed_by_id <> OLD.changed_by_id"
        " OR NEW.changed_at <> OLD.changed_at",
        "A submitted version never changes; submit a new one.",
    ),
    Rule(
        "flows_version",
        "UPDATE",
        "decided",
        f"NEW.status <> OLD.status AND NOT EXISTS ({_DECISION} = OLD.id AND d.from_status = OLD.status"
        " AND d.to_status = NEW.status AND d.sha256 = OLD.content_id"
        f" AND d.id = ({_LATEST}))",
        "A version changes its status with a decision only.",
    ),
    Rule(
        "flows_version",
        "UPDATE",
        "one_deployed",
        "NEW.status = 'deployed' AND EXISTS (SELECT 1 FROM flows_version v"
        " WHERE v.flow_id = NEW.flow_id AND v.status = 'deployed' AND v.id <> NEW.id)",
        "Another version of the flow is deployed; retire it first.",
    ),
    never("flows_version", "DELETE", "A version is kept for ever."),
    no_replace(
        "flows_version",
        "t.id = NEW.id OR (t.flow_id = NEW.flow_id AND (t.number = NEW.number OR t.status = 'submitted'))",
    ),
    # A decision fits the version as it stands, and is made by somebody who may make it.
    Rule(
        "flows_decision",
        "INSERT",
        "arrow",
        f"(NEW.name, NEW.from_status, NEW.to_status) NOT IN (VALUES {_ARROWS_SQL})",
        "There is no such transition.",
    ),
    Rule(
        "flows_decision",
        "INSERT",
        "fits",
        f"NOT EXISTS ({_VERSION} AND v.content_id = NEW.sha256"
        " AND v.status = CASE WHEN NEW.name = 'submit' THEN 'submitted' ELSE NEW.from_status END)"
        f" OR (NEW.name = 'submit' AND EXISTS ({_DECISION} = NEW.version_id))"
        f" OR (NEW.name <> 'submit' AND NOT EXISTS ({_DECISION} = NEW.version_id AND d.name = 'submit'))",
        "The decision isn't about the version as it stands.",
    ),
    Rule(
        "flows_decision",
        "INSERT",
        "submitter",
        f"NEW.name IN ('submit', 'recall') AND NOT EXISTS ({_VERSION} AND v.submitted_by_id = NEW.by_id)",
        "Only the submitter submits and recalls a version.",
    ),
    Rule(
        "flows_decision",
        "INSERT",
        "four_eyes",
        "NEW.from_status IN ('submitted', 'approved') AND NEW.to_status IN ('approved', 'deployed')"
        f" AND (EXISTS ({_VERSION} AND v.submitted_by_id = NEW.by_id)"
        f" OR EXISTS ({_CONTRIBUTOR} AND c.user_id = NEW.by_id))",
        "Nobody approves, or deploys for the first time, what they worked on.",
    ),
    never("flows_decision", "UPDATE", "A decision never changes."),
    never("flows_decision", "DELETE", "A decision is kept for ever."),
    no_replace("flows_decision", "t.id = NEW.id"),
    # Who worked on a version is settled with its submission.
    Rule(
        "flows_contributor",
        "INSERT",
        "settled",
        f"EXISTS ({_DECISION} = NEW.version_id)",
        "The contributors of a version are settled when it is submitted.",
    ),
    never("flows_contributor", "UPDATE", "The contributors of a version never change."),
    never("flows_contributor", "DELETE", "The contributors of a version never change."),
    no_replace("flows_contributor", "t.id = NEW.id OR (t.version_id = NEW.version_id AND t.user_id = NEW.user_id)"),
    # Who edited what is written once, when it happens.
    Rule(
        "flows_edit",
        "INSERT",
        "new",
        f"{is_old('NEW.entity_id', 'NEW.at')} OR EXISTS ({_EDIT} = NEW.subject AND e.at >= NEW.at)",
        "An edit is recorded when it is made: later than what was edited and submitted before.",
    ),
    never("flows_edit", "UPDATE", "The record of an edit never changes."),
    never("flows_edit", "DELETE", "The record of an edit is kept for ever."),
    no_replace("flows_edit", "t.id = NEW.id"),
    # The log of changes only ever grows, each chain at its end.
    never("flows_change", "UPDATE", "The record of a change never changes."),
    never("flows_change", "DELETE", "The record of a change is kept for ever."),
    Rule(
        "flows_change",
        "INSERT",
        "last",
        f"EXISTS ({_CHANGE} = NEW.entity_id AND c.id > NEW.id)"
        f" OR (NEW.entity_id IS NULL AND EXISTS ({_CHANGE} IS NULL AND c.id > NEW.id))",
        "A change is recorded after those before it.",
        timing="AFTER",
    ),
    no_replace("flows_change", "t.id = NEW.id"),
    # A draft changes with a record of who did it, and a flow stays the flow it is.
    Rule(
        "flows_flow",
        "UPDATE",
        "identity",
        "NEW.id <> OLD.id OR NEW.entity_id <> OLD.entity_id OR NEW.slug <> OLD.slug OR NEW.kind <> OLD.kind"
        " OR NEW.created_by_id <> OLD.created_by_id OR NEW.created_at <> OLD.created_at",
        "Entity, slug, kind and creator of a flow never change.",
    ),
    Rule(
        "flows_flow",
        "UPDATE",
        "recorded",
        "(NEW.draft <> OLD.draft OR NEW.name <> OLD.name)"
        f" AND (NEW.draft_revision <= OLD.draft_revision OR {unrecorded('flow')})",
        "A draft changes through flows.drafts, which records by whom.",
        turn="NEW.entity_id",
    ),
    Rule(
        "flows_flow",
        "DELETE",
        "delete",
        "EXISTS (SELECT 1 FROM flows_version v WHERE v.flow_id = OLD.id)",
        "The flow has versions and stays with them.",
    ),
    no_replace("flows_flow", "t.id = NEW.id OR (t.entity_id = NEW.entity_id AND t.slug = NEW.slug)"),
)
