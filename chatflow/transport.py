"""Kombu's transport for Redis, for a worker that nothing in the queue may stop: what isn't a hint of ours is dropped.

Kombu and Celery read a message in several places before the task gets it, and not all of them expect nonsense: it ends
the worker, goes back into the queue, and ends the next one.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from hashlib import sha256
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

TASK = "chatflow.run"
PATH = f"{__name__}:Transport"

log = logging.getLogger(__name__)


def is_hint(message: Any) -> bool:
    """Whether Celery, as this release writes it, made this for our task."""
    try:
        headers, properties = message["headers"], message["properties"]
        arguments, options, _ = json.loads(b64decode(message["body"], validate=True))
        return (
            (headers["task"], message["content-type"], message["content-encoding"])
            == (TASK, "application/json", "utf-8")
            and properties["body_encoding"] == "base64"
            and all(isinstance(text, str) for text in (headers["id"], properties["delivery_tag"], *arguments))
            and isinstance(properties["delivery_info"], dict)
            and (len(arguments), options) == (1, {})
            and not any(headers.get(name) for name in ("eta", "expires", "group", "compression", "stamps"))
        )
    except (KeyError, TypeError, ValueError):
        return False


class Channel(redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        """A message is taken off the queue before it is read as JSON."""
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # not among the types of kombu
        except ValueError as error:
            log.warning("Dropped something from the queue that isn't JSON: %s", type(error).__name__)
            return True


class Transport(redis.Transport):
    Channel = Channel

    def _deliver(self, message: Any, queue: str | None) -> None:
        if is_hint(message):
            super()._deliver(message, queue)
        else:
            digest = sha256(repr(message).encode("utf-8", "replace")).hexdigest()[:12]
            log.warning("Dropped a message from the queue that isn't a hint (its SHA-256 begins with %s).", digest)


def use() -> None:
    """Have this process read from the broker in this way."""
    TRANSPORT_ALIASES.update(redis=PATH, rediss=PATH)
