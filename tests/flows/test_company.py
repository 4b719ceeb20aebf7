"""Who works beside whom in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from flows import company
from flows.company import Company

pytestmark = pytest.mark.pure


def begin(way: Callable[[], AbstractContextManager[None]]) -> tuple[threading.Event, threading.Event, threading.Thread]:
    """Work in that way in a thread of its own: whether it has begun, how to end it, and the thread."""
    begun, end = threading.Event(), threading.Event()

    def work() -> None:
        with way():
            begun.set()
            end.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    return begun, end, thread


def finish(*working: tuple[threading.Event, threading.Event, threading.Thread]) -> None:
    for _, end, thread in working:
        end.set()
        thread.join(30)


def test_any_number_work_together():
    ours = Company()
    working = [begin(ours.together) for _ in range(3)]
    assert all(begun.wait(30) for begun, _, _ in working)
    finish(*working)


def test_a_suspect_waits_for_the_others_and_others_for_the_suspect():
    ours = Company()
    first = begin(ours.together)
    assert first[0].wait(30)
    suspect = begin(ours.alone)
    assert not suspect[0].wait(0.2)
    second = begin(ours.together)
    assert not second[0].wait(0.2)
    finish(first)
    assert suspect[0].wait(30)
    assert not second[0].wait(0.2)
    finish(suspect)
    assert second[0].wait(30)
    finish(second)


def test_two_suspects_work_one_after_the_other():
    ours = Company()
    first = begin(ours.alone)
    assert first[0].wait(30)
    second = begin(ours.alone)
    assert not second[0].wait(0.2)
    finish(first)
    assert second[0].wait(30)
    finish(second)


def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(company, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(company, "HELD_UP_SECONDS", 0.05)
    ours = Company()
    working = [begin(ours.together), begin(ours.alone), begin(ours.alone), begin(ours.together)]
    assert all(begun.wait(30) for begun, _, _ in working)
    finish(*working)
