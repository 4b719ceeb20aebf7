"""Set up entities from one file."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from flows.commanding import acting, one_clear_line, read_text
from routing.setup_file import apply_setup, read_setup


class Command(BaseCommand):
    help = "Set up entities, members, channels, connections, endpoints and keys from one JSON file. Repeatable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="setup file, or - for standard input (docs/setup-file.md)")
        parser.add_argument(
            "--as", dest="actor", metavar="USER", help="who does this; a superuser where an entity is new"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = acting(options["actor"])
        with one_clear_line():
            for line in apply_setup(read_setup(read_text(options["file"])), by=user):
                self.stdout.write(line)
