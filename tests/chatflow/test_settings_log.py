"""What the instance is set to is noted when a part starts with other settings than it last had."""

from __future__ import annotations

import json

import pytest
from pytest_django.fixtures import Settings

from chatflow.settings_log import WATCHED, fingerprint, note_settings
from flows import origin
from flows.chains import walk
from flows.models import Change

pytestmark = pytest.mark.django_db


def test_the_first_start_says_everything_and_the_next_one_nothing(settings: Settings) -> None:
    note_settings("web")
    note_settings("web")
    row = Change.objects.get()
    assert (row.entity, row.by, row.subject, row.action) == (None, None, "settings:web", "set")
    assert row.place.startswith("start of the web on ")
    assert row.place.endswith(f" by {origin.os_user()}")
    assert set(json.loads(row.after)) == {*WATCHED, "CHATFLOW_KEYS"}


def test_afterwards_what_differs_is_said_for_each_part(settings: Settings) -> None:
    note_settings("web")
    note_settings("worker")
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    note_settings("web")
    settings.DEBUG = True
    note_settings("web")
    settings.TRUSTED_PROXIES = []
    note_settings("web")
    rows = [(row.subject, row.before, row.after) for row in Change.objects.order_by("id")[2:]]
    assert rows == [
        ("settings:web", '{"TRUSTED_PROXIES":[]}', '{"TRUSTED_PROXIES":["10.0.0.0/8"]}'),
        ("settings:web", '{"DEBUG":false}', '{"DEBUG":true}'),
        ("settings:web", '{"TRUSTED_PROXIES":["10.0.0.0/8"]}', '{"TRUSTED_PROXIES":[]}'),
    ]
    assert walk(None).problem == ""


def test_keys_are_told_by_their_fingerprints(settings: Settings) -> None:
    old = settings.CHATFLOW_KEYS
    note_settings("web")
    settings.CHATFLOW_KEYS = ["a new key, long enough for anybody", *old]
    note_settings("web")
    row = Change.objects.latest("id")
    assert json.loads(row.after) == {"CHATFLOW_KEYS": [fingerprint(key) for key in settings.CHATFLOW_KEYS]}
    assert not [key for key in settings.CHATFLOW_KEYS if key in row.after]
