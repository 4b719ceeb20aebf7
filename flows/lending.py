"""What a thread does with its database connection before it waits for somebody outside."""

from __future__ import annotations

from django.db import transaction


def give_back() -> None:
    """Let other threads have this thread's connection; its next query takes one again.

    A pool has fewer connections than a process has threads. Without a pool, or inside a transaction, nothing happens.
    """
    connection = transaction.get_connection()
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
