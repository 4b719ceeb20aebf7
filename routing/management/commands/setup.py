"""Set up entities from one file."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.commanding import acting, one_clear_line, read_text
from flows.engine.strictjson import pretty
from routing.setup_file import apply_setup, read_setup, setup_schema


class Command(BaseCommand):
    help = "Set up entities, members, channels, connections, endpoints and keys from one JSON file. Repeatable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="setup file, or - for standard input (docs/setup-file.md)")
        parser.add_argument(
            "--as", dest="actor", metavar="USER", help="who does this; a superuser where an entity is new"
        )
        parser.add_argument("--schema", action="store_true", help="only print the JSON Schema of the file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(pretty(setup_schema()), ending="")
            return
        if options["file"] is None:
            raise CommandError("Say which file: manage.py setup FILE --as USER.")
        user = acting(options["actor"])
        with one_clear_line():
            for line in apply_setup(read_setup(read_text(options["file"])), by=user):
                self.stdout.write(line)
