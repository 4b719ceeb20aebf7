"""Identifiers that sort by time, so that a page of runs is a range of the primary key."""

from __future__ import annotations

import os
import time
import uuid
from datetime import datetime

MILLISECOND = 1_000_000  # nanoseconds


def new_run_id() -> uuid.UUID:
    """A UUID version 7 (RFC 9562, section 5.7): milliseconds, their 4096th parts (section 6.2, method 3), random bits."""
    milliseconds, rest = divmod(time.time_ns(), MILLISECOND)
    parts = (rest << 12) // MILLISECOND
    random = int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | parts << 64 | 2 << 62 | random)


def first_id_at(moment: datetime) -> uuid.UUID:
    """No run that was made at `moment` or later has a smaller id, and none that was made before has a larger one."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)
