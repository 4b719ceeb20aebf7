"""Delete one person's data from an entity: what names them comes by standard input, never by the command line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.commanding import acting, add_actor, entity_for, one_clear_line
from flows.engine.strictjson import dumps
from flows.erasure import forget
from flows.identifiers import Person
from flows.progress import Line


class Command(BaseCommand):
    help = (
        "Delete every run of an entity that holds a person's identifier: a phone number, an e-mail address, a customer"
        " number. Reads them from standard input, one a line, so that none ends in a shell's history."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_actor(parser)
        parser.add_argument("--dry-run", action="store_true", help="count what would be deleted, and delete nothing")
        parser.add_argument("--cancel", action="store_true", help="end runs that aren't over, and delete them too")

    def handle(self, *args: Any, **options: Any) -> None:
        user = acting(options["actor"])
        entity = entity_for(options["entity"], user)
        if sys.stdin.isatty():
            self.stderr.write("One identifier a line; end with Ctrl-D.")
        with one_clear_line(), Line(self.stderr, "runs looked through") as line:
            person = Person(sys.stdin.read().splitlines())
            found = forget(
                entity, person, by=user, cancel=options["cancel"], dry_run=options["dry_run"], progress=line.tell
            )
        self.stdout.write(dumps({"entity": entity.slug, "dry_run": options["dry_run"], **asdict(found)}))
        if found.unfinished and not options["dry_run"]:
            raise CommandError(
                f"{len(found.unfinished)} runs aren't over and were left. Wait for them, or end them with --cancel."
            )
        if found.unreadable:
            raise CommandError(
                f"{len(found.unreadable)} runs couldn't be looked into: give the key that they were sealed with in"
                " CHATFLOW_KEYS as well."
            )
