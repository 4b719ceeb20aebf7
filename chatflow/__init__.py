"""The wiring of Chatflow: settings, addresses, the Celery application, checks, health and logs."""

from chatflow.celery import app as celery_app

__all__ = ["celery_app"]
