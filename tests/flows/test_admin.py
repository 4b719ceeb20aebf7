"""The pages of flows in the admin: drafts, imports, versions, runs, members."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flows import lifecycle
from flows.admin.differences import differences
from flows.engine.strictjson import dumps, loads
from flows.models import (
    DynamicApiFlow,
    Effect,
    EffectState,
    Entity,
    Flow,
    Membership,
    Run,
    RunState,
    StandardFlow,
    Status,
    Version,
)
from tests.admin_world import as_user, text_of, url
from tests.flows.makers import make_run, make_user
from tests.routing.makers import deploy, end, make_flow, make_house, person, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def entity() -> Entity:
    return make_house()


@pytest.fixture
def flow(entity: Entity) -> Flow:
    return make_flow(entity)


def page_of(flow: Flow) -> str:
    return url(DynamicApiFlow, "change", flow.pk)


def upload(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("flow.json", text.encode(), content_type="application/json")


def saved(flow: Flow) -> Flow:
    return Flow.objects.get(pk=flow.pk)


# --- Drafts -----------------------------------------------------------------------------------------------------------


def test_an_empty_list_says_how_to_begin(entity: Entity) -> None:
    text = text_of(as_user("builder").get(url(DynamicApiFlow, "changelist")))
    assert "Add one, or import a flow file" in text


def test_builders_add_a_flow_and_land_on_its_page(entity: Entity) -> None:
    typed = {"entity": entity.pk, "name": "Returns", "slug": "returns"}
    answer = as_user("builder").post(url(DynamicApiFlow, "add"), typed)
    flow = Flow.objects.get(slug="returns")
    assert (answer.status_code, answer["Location"]) == (302, page_of(flow))
    assert flow.kind == "dynamic_api"


def test_a_taken_slug_is_refused_on_the_form(flow: Flow) -> None:
    typed = {"entity": flow.entity_id, "name": "Again", "slug": flow.slug}
    answer = as_user("builder").post(url(StandardFlow, "add"), typed)
    assert answer.status_code == 200
    assert "has a flow 'order-total' already" in text_of(answer)


def test_a_flow_of_another_entity_can_not_be_added_by_its_id(entity: Entity) -> None:
    other = Entity.objects.create(slug="other", name="Other")
    typed = {"entity": other.pk, "name": "Returns", "slug": "returns"}
    assert "Select a valid choice" in text_of(as_user("builder").post(url(DynamicApiFlow, "add"), typed))
    assert not Flow.objects.exists()


def test_a_saved_draft_is_a_new_revision(flow: Flow) -> None:
    nodes = dumps([start(), end({"ok": True})])
    answer = as_user("builder").post(page_of(flow), {"draft": nodes, "revision": 1}, follow=True)
    assert "Saved as revision 2." in text_of(answer)
    assert loads(saved(flow).draft) == loads(nodes)


def test_a_refused_draft_keeps_what_was_typed_and_does_not_lie_about_issues(flow: Flow) -> None:
    answer = as_user("builder").post(page_of(flow), {"draft": "[{]", "revision": 1})
    text = text_of(answer)
    assert answer.status_code == 422
    assert "[{]" in text
    assert "which is saved, not about the text that you typed" in text
    assert saved(flow).draft_revision == 1


def test_a_conflict_names_who_saved_and_keeps_the_text(flow: Flow) -> None:
    theirs, mine = dumps([start(), end({"theirs": 1})]), dumps([start(), end({"mine": 1})])
    second = make_user("second")
    Membership.objects.create(entity=flow.entity, user=second, role="builder", granted_by=person("root"))
    as_user("second").post(page_of(flow), {"draft": theirs, "revision": 1})
    client = as_user("builder")
    answer = client.post(page_of(flow), {"draft": mine, "revision": 1})
    text = text_of(answer)
    assert answer.status_code == 409
    assert "second saved this draft" in text
    assert mine in text
    again = client.post(page_of(flow), {"draft": mine, "revision": 1})
    assert again.status_code == 409, "pressing Save once more must not overwrite"
    client.post(page_of(flow), {"draft": mine, "revision": 1, "_overwrite": 2})
    assert loads(saved(flow).draft) == loads(mine)


@pytest.mark.parametrize("revision", ["", "abc", "-1", "99999999999999", "²"])
def test_an_odd_revision_is_a_conflict_and_no_crash(flow: Flow, revision: str) -> None:
    answer = as_user("builder").post(page_of(flow), {"draft": "[]", "revision": revision})
    assert answer.status_code in (409, 422)
    assert saved(flow).draft_revision == 1


def test_submitting_leads_to_the_version(flow: Flow) -> None:
    typed = {"draft": flow.draft, "revision": 1, "_submit": "1", "summary": "First."}
    answer = as_user("builder").post(page_of(flow), typed)
    version = flow.versions.get()
    assert answer["Location"] == url(Version, "change", version.pk)
    assert version.summary == "First."


def test_a_draft_with_errors_is_saved_but_not_submitted_and_both_is_said(flow: Flow) -> None:
    nodes = dumps([{"number": 1, "type": "start", "settings": {}, "exits": {"next": None}}])
    typed = {"draft": nodes, "revision": 1, "_submit": "1", "summary": "Mine."}
    text = text_of(as_user("builder").post(page_of(flow), typed))
    assert "Not submitted." in text
    assert "Saved as revision 2." in text
    assert "Mine." in text
    assert not flow.versions.exists()


# --- Import and export ------------------------------------------------------------------------------------------------


def test_an_exported_file_imports_again(flow: Flow) -> None:
    client = as_user("builder")
    file = client.get(url(DynamicApiFlow, "export", flow.pk)).content.decode()
    renamed = json.dumps({**json.loads(file), "slug": "copy", "name": "Copy"})
    typed = {"entity": flow.entity_id, "file": upload(renamed)}
    answer = client.post(url(StandardFlow, "import"), typed, follow=True)
    assert "Imported Copy, revision 1." in text_of(answer)
    assert answer.request["PATH_INFO"] == page_of(Flow.objects.get(slug="copy"))


@pytest.mark.parametrize("file", ["", "{", '{"format": 2}', "[]", "\x00"])
def test_a_broken_file_is_refused_at_the_field(flow: Flow, file: str) -> None:
    typed = {"entity": flow.entity_id, "file": upload(file)}
    answer = as_user("builder").post(url(DynamicApiFlow, "import"), typed)
    assert answer.status_code == 422
    assert "Nothing was imported." in text_of(answer)
    assert Flow.objects.count() == 1


def test_importing_takes_a_builder_of_that_entity(flow: Flow) -> None:
    typed = {"entity": flow.entity_id, "file": upload("{}")}
    assert as_user("approver").post(url(DynamicApiFlow, "import"), typed).status_code == 403
    other = Entity.objects.create(slug="other", name="Other")
    typed = {"entity": other.pk, "file": upload("{}")}
    assert "Select a valid choice" in text_of(as_user("builder").post(url(DynamicApiFlow, "import"), typed))


# --- Versions ---------------------------------------------------------------------------------------------------------


def submitted(flow: Flow) -> Version:
    return lifecycle.submit(flow, by=person("builder"), summary="Adds the total.")


def test_buttons_work_for_the_right_people_only(flow: Flow) -> None:
    version = submitted(flow)
    page, decide = url(version, "change", version.pk), url(version, "decide", version.pk, "approve")
    mine = text_of(as_user("builder").get(page))
    assert re.search(r"<button[^>]* disabled[^>]*>Approve", mine)
    assert "that takes the role Approver" in mine
    as_user("builder").post(decide, {"status": "submitted"})
    assert Version.objects.get().status == Status.SUBMITTED
    theirs = text_of(as_user("approver").get(page))
    assert not re.search(r"<button[^>]* disabled[^>]*>Approve", theirs)
    answer = as_user("approver").post(decide, {"status": "submitted", "comment": "Good."}, follow=True)
    assert "is approved now." in text_of(answer)


def test_the_page_tells_author_summary_states_and_reasons(flow: Flow) -> None:
    version = submitted(flow)
    lifecycle.perform("decline", version, by=person("approver"), comment="The total lacks VAT.")
    text = text_of(as_user("viewer").get(url(version, "change", version.pk)))
    for told in ("Adds the total.", "The total lacks VAT.", "Author", "Last change", "Change log", "Approver log"):
        assert told in text
    assert "The total lacks VAT." in text_of(as_user("builder").get(page_of(flow)))


def test_a_decision_on_a_version_that_changed_meanwhile_is_refused(flow: Flow) -> None:
    version = submitted(flow)
    lifecycle.perform("recall", version, by=person("builder"))
    decide = url(version, "decide", version.pk, "approve")
    answer = as_user("approver").post(decide, {"status": "submitted"}, follow=True)
    assert "Somebody was faster" in text_of(answer)


def test_decisions_are_posts(flow: Flow) -> None:
    version = submitted(flow)
    assert as_user("approver").get(url(version, "decide", version.pk, "approve")).status_code == 405


@pytest.mark.parametrize("name", ["root", "approver", "owner"])
def test_nobody_changes_a_version_or_a_run_by_hand(flow: Flow, name: str) -> None:
    deploy(flow)
    version, run, client = flow.versions.get(), make_run(flow), as_user(name)
    for row in (version, run):
        assert client.get(url(row, "add")).status_code == 403
        assert client.post(url(row, "change", row.pk), {"status": "submitted", "state": "dead"}).status_code == 403
        assert client.post(url(row, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_what_differs_from_the_deployed_version_is_shown(flow: Flow) -> None:
    deploy(flow)
    as_user("builder").post(page_of(flow), {"draft": dumps([start(), end({"new": 1})]), "revision": 1})
    version = submitted(saved(flow))
    text = text_of(as_user("approver").get(url(version, "change", version.pk)))
    assert "What differs from version 1" in text
    assert "Node 2, api_end: changed" in text


def test_differences_name_what_is_new_gone_and_changed() -> None:
    def content(*nodes: dict[str, object], **endpoints: object) -> dict[str, object]:
        return {"nodes": list(nodes), "definitions": {"endpoint": endpoints}}

    one, two, three = ({"number": number, "type": "start", "settings": {}} for number in (1, 2, 3))
    before = content(one, two, old={"path": "/a"})
    after = content(one, {**two, "settings": {"a": 1}}, three, new={"path": "/b"})
    assert [found.what for found in differences(before, after)] == [
        "Node 2, start: changed",
        "Node 3, start: new",
        "Endpoint new: new",
        "Endpoint old: gone",
    ]
    assert differences(before, before) == []


# --- Runs -------------------------------------------------------------------------------------------------------------


def listed(name: str, query: str = "") -> list[Run]:
    answer = as_user(name).get(f"{url(Run, 'changelist')}?{query}")
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_runs_are_found_by_route_flow_state_time_and_id(flow: Flow) -> None:
    route = "0123456789abcdef0123456789abcdef"
    done, dead = make_run(flow, RunState.SUCCEEDED, route=route), make_run(flow, RunState.DEAD)
    other = make_run(make_flow(flow.entity, slug="other-flow"), RunState.SUCCEEDED)
    assert listed("viewer") == [other, dead, done]
    assert listed("viewer", f"route={route}") == listed("viewer", f"q={route}") == [done]
    assert listed("viewer", f"flow={other.flow_id}") == listed("viewer", "q=other-fl") == [other]
    assert listed("viewer", "state=dead") == [dead]
    assert listed("viewer", f"q={done.pk}") == [done]
    assert listed("viewer", "since=2100-01-01T00:00") == []
    assert listed("viewer", "until=2020-01-01T00:00") == []
    assert len(listed("viewer", "since=2020-01-01T00:00&until=2100-01-01T00:00&environment=sandbox&is_async=0")) == 3


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "flow=abc",
        "flow=²",
        "since=x",
        "until=9999-99-99",
        "route=' OR 1",
        "route=%00",
        "entity=%00",
        "state=%00",
        "p=x",
    ],
)
def test_odd_filters_find_nothing_and_break_nothing(flow: Flow, query: str) -> None:
    make_run(flow)
    assert as_user("viewer").get(f"{url(Run, 'changelist')}?{query}").status_code in (200, 302, 400)


def test_nul_and_huge_numbers_break_no_page(flow: Flow) -> None:
    version, run, client = submitted(flow), make_run(flow), as_user("approver")
    huge = "9" * 30
    for model in (DynamicApiFlow, Version, Run, Membership, Entity, Flow._meta.apps.get_model("routing", "Route")):
        for odd in ("\x00", huge, "_00"):
            assert client.get(url(model, "change", odd)).status_code == 302
    assert client.post(url(version, "decide", huge, "approve")).status_code == 302
    client.post(url(run, "settle", run.pk), {"effect": "\x00", "word": "sent"})
    client.post(url(version, "decide", version.pk, "decline"), {"status": "submitted", "comment": "No.\x00"})
    assert version.decisions.last().comment == "No."
    typed = {"draft": flow.draft, "revision": 1, "_submit": "1", "summary": "a\x00b"}
    as_user("builder").post(page_of(flow), typed)
    assert flow.versions.latest("number").summary == "ab"


def test_the_list_of_runs_never_counts_the_table(flow: Flow) -> None:
    make_run(flow)
    with CaptureQueriesContext(connection) as queries:
        listed("viewer")
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "flows_run" in query["sql"]]
    assert counts
    assert all("LIMIT 5000" in sql for sql in counts)
    assert not any('"flows_run"."request"' in query["sql"] for query in queries)


@pytest.mark.parametrize(
    ("came", "told"),
    [
        ({"code": 200}, "200, 7 µs"),
        ({"error": "timed_out"}, "timed_out, 7 µs"),
        ({"code": 200, "note": "It isn't JSON."}, "200, 7 µs: It isn't JSON."),
    ],
)
def test_a_run_shows_the_calls_of_its_steps(flow: Flow, came: dict[str, Any], told: str) -> None:
    call = {"key": "k", "connection": "shop", "method": "GET", "path": "/orders", "microseconds": 7, **came}
    step = {"position": 0, "number": 2, "name": "ask", "type": "api_integration", "exit": "yes", "microseconds": 9}
    run = make_run(flow, RunState.SUCCEEDED, wake_in_seconds=None, trace=dumps([{**step, "calls": [call]}]))
    shown = text_of(as_user("viewer").get(url(run, "change", run.pk)))
    assert f"GET /orders on shop: {told}" in shown


def test_the_empty_list_of_runs_says_where_runs_come_from(entity: Entity) -> None:
    assert "A call to a route makes one" in text_of(as_user("viewer").get(url(Run, "changelist")))


def test_a_person_settles_an_effect_in_doubt_and_it_is_noted(flow: Flow) -> None:
    run = make_run(flow, RunState.IN_DOUBT, wake_in_seconds=None)
    now = timezone.now()
    key = f"{run.pk}:1:1"
    Effect.objects.create(key=key, run=run, state=EffectState.IN_DOUBT, repeat="never", request="{}", started_at=now)
    typed = {"effect": key, "word": "sent"}
    as_user("viewer").post(url(run, "settle", run.pk), typed)
    assert Effect.objects.get().state == EffectState.IN_DOUBT
    assert "It was sent" in text_of(as_user("builder").get(url(run, "change", run.pk)))
    as_user("builder").post(url(run, "settle", run.pk), {"effect": key})
    assert Effect.objects.get().state == EffectState.IN_DOUBT, "without a word nothing is settled"
    as_user("builder").post(url(run, "settle", run.pk), typed)
    assert Effect.objects.get().state == EffectState.DONE
    assert LogEntry.objects.filter(object_id=str(run.pk), user=person("builder")).exists()


# --- Members ----------------------------------------------------------------------------------------------------------


def grant(entity: Entity, user: str, role: str, by: str = "owner") -> str:
    typed = {"entity": entity.pk, "user": user, "role": role}
    return text_of(as_user(by).post(url(Membership, "add"), typed, follow=True))


def test_owners_grant_roles_to_people_they_name(entity: Entity) -> None:
    make_user("newcomer")
    grant(entity, "newcomer", "viewer")
    grant(entity, "Newcomer@example.com", "builder")
    given = Membership.objects.filter(user__username="newcomer")
    assert sorted(given.values_list("role", flat=True)) == ["builder", "viewer"]
    assert "has this role" in grant(entity, "newcomer", "viewer")


def test_nobody_grants_a_role_to_themselves(entity: Entity) -> None:
    assert "Nobody grants a role to themselves" in grant(entity, "owner", "approver")
    assert Membership.objects.filter(user=person("owner")).count() == 1


def test_the_form_tells_no_names_of_other_people(entity: Entity) -> None:
    make_user("somebody-else")
    assert "somebody-else" not in text_of(as_user("owner").get(url(Membership, "add")))
    assert "There is no active account" in grant(entity, "nobody", "viewer")


def test_the_last_owner_stays_and_the_reason_is_told(entity: Entity) -> None:
    row = Membership.objects.get(role="owner")
    answer = as_user("owner").post(url(row, "delete", row.pk), {"post": "yes"}, follow=True)
    assert "is the only owner" in text_of(answer)
    assert Membership.objects.filter(pk=row.pk).exists()
    viewer = Membership.objects.get(role="viewer")
    as_user("owner").post(url(viewer, "delete", viewer.pk), {"post": "yes"})
    assert not Membership.objects.filter(pk=viewer.pk).exists()


# --- The first page ---------------------------------------------------------------------------------------------------


def test_the_first_page_says_what_waits_for_me(flow: Flow) -> None:
    version = submitted(flow)
    make_run(flow, RunState.IN_DOUBT)
    make_run(flow, RunState.DEAD)
    assert "To approve or decline" in text_of(as_user("approver").get("/admin/"))
    assert "To approve or decline" not in text_of(as_user("builder").get("/admin/"))
    lifecycle.perform("decline", version, by=person("approver"), comment="No.")
    text = text_of(as_user("builder").get("/admin/"))
    for heading in ("Yours, sent back", "Runs in doubt", "Runs given up lately"):
        assert heading in text
    assert "Yours, sent back" not in text_of(as_user("approver").get("/admin/"))


def test_the_menu_is_in_the_order_of_work(entity: Entity) -> None:
    text = text_of(as_user("root").get("/admin/"))
    places = [
        text.index(f'id="{app}-') if f'id="{app}-' in text else text.index(f"app-{app}")
        for app in ("flows", "routing", "integrations", "auth")
    ]
    assert places == sorted(places)
    assert "Dynamic API flows" in text
    assert "<title>Overview | Chatflow</title>" in text
