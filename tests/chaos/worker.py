"""The worker of a stack: the product's own, with a payload that kills it, and where a test is in a hurry a short lease.

`python -m tests.chaos.worker worker <options of celery>`
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import django

POISON = "/look/poison"
"""The path of a call that ends the process that makes it."""


def hurry() -> None:
    """Leases of CHAOS_LEASE_SECONDS where that is set, and all that goes with them so much quicker too."""
    from flows import leases

    usual = leases.LEASE_SECONDS
    seconds = float(os.environ.get("CHAOS_LEASE_SECONDS", usual))
    for name in ("LEASE_SECONDS", "RENEW_SECONDS", "LOOK_SECONDS", "SURE_SECONDS"):
        setattr(leases, name, getattr(leases, name) * seconds / usual)


def poison() -> None:
    """Have the one door out end the process that makes the call."""
    from integrations.door import RealDoor

    real = RealDoor.call

    def call(self: Any, call: Any, *rest: Any) -> Any:
        if call.path.startswith(POISON):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, call, *rest)

    RealDoor.call = call  # type: ignore[method-assign]


def main(arguments: list[str]) -> None:
    from chatflow.celery import app

    django.setup()
    hurry()
    poison()
    app.worker_main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
