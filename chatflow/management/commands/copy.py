"""From one database to another."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from chatflow.copying import NotCopied, copy_from


class Command(BaseCommand):
    help = "Copy everything from another database into this one, which has to be new: SQLite to PostgreSQL."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="the database to copy, like sqlite:////var/lib/chatflow/chatflow.sqlite3")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            copied = copy_from(options["url"])
        except (NotCopied, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Copied {sum(copied.values())} rows of {len(copied)} tables.")
