"""What a local start needs and nobody wants to type: its secrets, and the settings of the last `start.py`.

Neither is used once a SECRET_KEY is given, so what a trial left behind can't reach a production server.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper


def kept_secret(file: Path) -> str:
    """The secret in `file`, made on the first call. Two processes that start at once agree on one."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=file.parent)  # readable by its owner alone
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass  # the other process was first: its secret counts
        finally:
            os.unlink(fresh)
    return file.read_text().strip()


def forget_queries() -> None:
    """In DEBUG Django keeps the last 9,000 statements of each thread, payloads included; a server would grow for ever."""
    BaseDatabaseWrapper.queries_limit = 20
