"""The Celery application. A message carries a run's id and nothing else: the row in the database is the truth."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, celeryd_init, worker_init, worker_shutting_down
from django.conf import settings
from django.db import connection

from chatflow import transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatflow.settings")

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
    """Celery waits for what is under way; it is put down at the next step."""
    from flows import stopping

    stopping.ask()
