"""The demo, made at every start: there for whoever tries things, and never in the way of what they changed."""

from __future__ import annotations

from typing import Any

import pytest

from flows.drafts import save_draft
from flows.models import Flow, Status, Version
from routing.demo import ROUTES, make_demo

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def debug(settings: Any) -> None:
    settings.DEBUG = True


def deployed() -> dict[str, int]:
    return dict(Version.objects.filter(status=Status.DEPLOYED).values_list("flow__slug", "number"))


def test_every_flow_of_the_demo_is_deployed_and_has_a_line_to_try_it() -> None:
    _, tries = make_demo("http://127.0.0.1:8000")
    assert deployed() == dict.fromkeys(ROUTES, 1)
    assert [(one.flow, "curl -sS http" in one.curl) for one in tries] == [(slug, True) for slug in ROUTES]


def test_a_second_start_changes_nothing_but_the_tokens() -> None:
    first = make_demo("http://127.0.0.1:8000")
    second = make_demo("http://127.0.0.1:8000")
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert deployed() == dict.fromkeys(ROUTES, 1)


def test_another_port_deploys_only_the_flow_that_calls_this_server() -> None:
    make_demo("http://127.0.0.1:8000")
    make_demo("http://127.0.0.1:9000")
    assert deployed() == {"order-total": 1, "lead-intake": 1, "customer-lookup": 2}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.0.0.1:9000"])
def test_what_somebody_changed_is_neither_deployed_nor_in_the_way(url: str) -> None:
    make_demo("http://127.0.0.1:8000")
    for flow in Flow.objects.all():
        broken = flow.draft.replace('"next": 2', '"next": null')
        save_draft(flow, broken, by=flow.changed_by, based_on_revision=flow.draft_revision)
    _, tries = make_demo(url)
    assert deployed() == dict.fromkeys(ROUTES, 1)
    assert len(tries) == len(ROUTES)
