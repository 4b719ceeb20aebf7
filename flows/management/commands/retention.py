"""Delete the runs that are older than their entity keeps them. The dispatcher does the same by itself, once an hour."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from flows import retention
from flows.commanding import entity_for
from flows.engine.strictjson import dumps
from flows.models import Entity
from flows.progress import Line


class Command(BaseCommand):
    help = "Delete finished runs that are older than their entity keeps them; prints one JSON line per entity."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--entity", metavar="E", help="slug of the one entity to look at; otherwise all")
        parser.add_argument("--dry-run", action="store_true", help="count what would be deleted, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        entity = entity_for(options["entity"], None) if options["entity"] else None
        if options["dry_run"]:
            for one in Entity.objects.filter(**({"pk": entity.pk} if entity else {})).order_by("slug"):
                runs = retention.due(one, one.keep_runs_days).count()
                self.stdout.write(dumps({"entity": one.slug, "keep_runs_days": one.keep_runs_days, "due": runs}))
            return
        with Line(self.stderr, "runs deleted") as line:
            for done in retention.clean_up(line.tell, entity=entity):
                line.end()
                self.stdout.write(dumps({"entity": done.entity.slug, "deleted": done.runs}))
