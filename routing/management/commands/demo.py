"""Make the demo and say how to try it."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from flows.commanding import one_clear_line
from routing.demo import make_demo


class Command(BaseCommand):
    help = "Make the demo entity with its people, flows and routes; print logins and calls. Only under DEBUG."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo has fixed passwords; it is refused unless DEBUG is on.")
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # its approvals are nobody's news
        with one_clear_line():
            logins, tries = make_demo(os.environ.get("CHATFLOW_DEMO_URL", settings.PUBLIC_URL))
        self.stdout.write("Logins (user / password)")
        for login in logins:
            self.stdout.write(f"  {login}")
        for one in tries:
            kind = "asynchronous" if one.is_async else "synchronous"
            self.stdout.write(f"\n{one.flow} ({kind})\n  {one.curl}")
