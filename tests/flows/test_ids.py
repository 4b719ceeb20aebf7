"""Run ids sort by time."""

from __future__ import annotations

import time
import uuid

from flows.ids import new_run_id


def test_a_later_id_is_greater_also_within_a_millisecond():
    ids = []
    for _ in range(200):
        ids.append(new_run_id())
        time.sleep(0.00001)
    assert ids == sorted(ids)


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front():
    before = time.time_ns() // 1_000_000
    made = new_run_id()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000
