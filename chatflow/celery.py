"""The Celery application. A message carries a run's id and nothing else: the row in the database is the truth."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, celeryd_init, worker_init, worker_shutting_down
from django.conf import settings
from django.db import connection

from chatflow import transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatflow.settings")

CLOSING_SECONDS = 5
"""How long a worker that has nothing more to do may take to close its connections."""

log = logging.getLogger(__name__)

app = Celery("chatflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def read_as_a_worker(conf: Any, **_: object) -> None:
    """A worker blocks on the broker for a second at a time; a socket that gives up as soon as that would flap."""
    transport.use()
    conf.broker_transport_options = settings.WORKER_BROKER_TRANSPORT_OPTIONS


@worker_init.connect
def refuse_what_cannot_run(**_: object) -> None:
    from chatflow.checks import refuse_to_start
    from chatflow.settings_log import note_settings

    refuse_to_start()
    note_settings("worker")
    connection.close()  # this thread works on nothing


@celeryd_after_setup.connect
def look_out(instance: Any, **_: object) -> None:
    """Before the broker is there: a worker works without it."""
    from routing import lookout
    from routing.tasks import take

    lookout.start(take, instance.concurrency)


@worker_shutting_down.connect
def stop_in_order(**_: object) -> None:
    """Celery waits for what is under way, which is put down at the next step."""
    from flows import stopping

    stopping.ask()
    threading.Thread(target=_end_anyway, name="stop", daemon=True).start()


def _end_anyway() -> None:
    """Celery may wait for ever for a broker that is frozen. Nothing of ours is lost with it: messages are hints."""
    from flows import leases

    while leases.are_held():
        time.sleep(0.1)
    time.sleep(CLOSING_SECONDS)
    log.warning("The broker doesn't let go; this worker ends without it.")
    os._exit(0)
