"""The log of changes in the terminal: print it, and check that it is whole."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive

from flows.chains import Chain, lost, walk, walk_all
from flows.commanding import acting, add_actor, entity_for
from flows.engine.strictjson import JSON, dumps, stored
from flows.models import Change, Entity
from flows.roles import entities_of

ABILITY = "see changes"


class Command(BaseCommand):
    help = "Print the log of changes as JSON lines, oldest first, or check that no row was changed, added or deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_actor(parser)
        parser.add_argument("--since", metavar="DATE", help="from then on, like 2027-01-31 or 2027-01-31T12:00:00Z")
        parser.add_argument("--subject", metavar="S", help="one thing, like route:3f62…, or one kind, like route")
        parser.add_argument(
            "--verify",
            action="store_true",
            help="check every seal instead; prints each chain's last seal: keep them somewhere else",
        )
        parser.add_argument(
            "--head",
            metavar="SEAL",
            action="append",
            default=[],
            help="with --verify: a last seal that was kept; fails if its row was cut off. May be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = acting(options["actor"]) if options["actor"] else None
        entity = entity_for(options["entity"], user) if options["entity"] else None
        if user is not None and not entities_of(user, ABILITY).filter(**({"pk": entity.pk} if entity else {})).exists():
            where = f" in {entity.slug}" if entity else ""
            raise CommandError(f"{user} may not {ABILITY}{where}: that takes the role Approver or Owner.")
        if options["verify"]:
            self.verify(_chains(user, entity), options["head"])
            return
        if options["head"]:
            raise CommandError("--head is checked with --verify.")
        since, subject = options["since"], options["subject"]
        rows = _rows(user, entity)
        rows = rows.filter(at__gte=_moment(since)) if since else rows
        rows = rows.filter(Q(subject=subject) | Q(subject__startswith=f"{subject}:")) if subject else rows
        for row in rows.iterator(chunk_size=1_000):
            self.stdout.write(dumps(_told(row)))

    def verify(self, chains: Iterator[Chain], heads: list[str]) -> None:
        problems = []
        for chain in chains:
            if chain.rows:
                slug = chain.entity.slug if chain.entity else None
                self.stdout.write(dumps({"entity": slug, "rows": chain.rows, "head": chain.head}))
            if chain.problem:
                problems.append(chain.problem)
        problems += [
            f"No row has the seal {head} any more: rows were cut off the end of a log." for head in lost(heads)
        ]
        if problems:
            raise CommandError("\n".join(problems))


def _rows(user: Any, entity: Entity | None) -> QuerySet[Change]:
    rows = Change.objects.select_related("entity", "by").order_by("id")
    if entity is not None:
        return rows.filter(entity=entity)
    if user is None or user.is_superuser:
        return rows
    return rows.filter(entity__in=list(entities_of(user, ABILITY)))


def _chains(user: Any, entity: Entity | None) -> Iterator[Chain]:
    if entity is not None:
        return iter([walk(entity)])
    if user is None or user.is_superuser:
        return walk_all()
    return (walk(one) for one in entities_of(user, ABILITY).order_by("slug"))


def _told(row: Change) -> dict[str, JSON]:
    return {
        "id": row.pk,
        "at": row.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "entity": row.entity.slug if row.entity else None,
        "by": row.by.get_username() if row.by else None,
        "place": row.place,
        "action": row.action,
        "subject": row.subject,
        "title": row.title,
        "before": stored(row.before) if row.before else None,
        "after": stored(row.after) if row.after else None,
        "seal": row.seal,
    }


def _moment(text: str) -> datetime:
    """The moment that was meant; of a day its beginning, in UTC. Raises CommandError."""
    try:
        moment = parse_datetime(text) if "T" in text else None
        day = parse_date(text)
    except ValueError:  # 30 February
        moment = day = None
    if moment is not None and not is_naive(moment):
        return moment
    if day is None or moment is not None:
        raise CommandError(f"--since takes a day or a time with its zone, like 2027-01-31; {text!r} isn't one.")
    return datetime.combine(day, time(tzinfo=UTC))
