"""After a change of CHATFLOW_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.commanding import acting, one_clear_line
from integrations.resealing import public_keys_to_reseal, reseal_everything, reseal_public_keys


class Command(BaseCommand):
    help = "Encrypt every secret anew, with the first of CHATFLOW_KEYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as", dest="actor", metavar="USER", help="in whose name public keys are saved again; they count as edited"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable: dict[str, None] = {}
        with one_clear_line():
            for progress in reseal_everything():
                self.stdout.write(f"{progress}.")
                unreadable.update(dict.fromkeys(progress.unreadable))
            if options["actor"]:
                self.stdout.write(f"Public keys: {reseal_public_keys(by=acting(options['actor']))} encrypted anew.")
        left = [f"public key {key.name} of {key.entity.slug}" for key in public_keys_to_reseal()]
        if unreadable:
            rows = "; ".join([*unreadable][:10])
            raise CommandError(f"{len(unreadable)} can't be opened with any of CHATFLOW_KEYS: {rows}. Give them again.")
        if left:
            raise CommandError(f"Keep the old keys: {', '.join(left)} need a name. Call it again with --as USER.")
        self.stdout.write("Everything is encrypted with the first of CHATFLOW_KEYS.")
