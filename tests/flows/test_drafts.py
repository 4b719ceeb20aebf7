"""Drafts: what a file says is what is saved, who changed it is known, and nothing is saved of what is refused."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows import drafts
from flows.drafts import DraftConflict
from flows.engine.errors import FlowError, GraphRefused
from flows.engine.strictjson import pretty
from flows.models import Case, Edit, Flow
from tests.flows.stage import Stage, flow_file

pytestmark = pytest.mark.django_db

GOLDEN = """{
  "format": 1,
  "slug": "order-update",
  "name": "Bestellung ändern",
  "kind": "dynamic_api",
  "last_number": 7,
  "nodes": [
    {
      "number": 2,
      "type": "api_end",
      "settings": {
        "status": 200,
        "body": {
          "z": 1.10,
          "a": 12345678901234567890.5,
          "Ü": "{{ payload.name }}"
        }
      },
      "exits": {}
    },
    {
      "number": 1,
      "type": "start",
      "exits": {
        "next": 2
      },
      "settings": {}
    }
  ],
  "cases": [
    {
      "name": "second",
      "request": {
        "payload": {
          "name": "Zoë"
        }
      }
    },
    {
      "name": "first"
    }
  ]
}
"""


def test_a_file_comes_out_as_it_went_in(stage: Stage):
    assert drafts.export_file(drafts.import_file(stage.entity, GOLDEN, by=stage.ana)) == GOLDEN


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcäöß -", max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON, label=st.text('abc öß\n"\\', max_size=20))
def test_whatever_an_author_writes_survives_export_and_import(stage: Stage, body, label):
    nodes = [
        {"number": 5, "type": "start", "settings": {}, "exits": {"next": 9}},
        {"number": 9, "type": "api_end", "label": label, "settings": {"body": body}, "exits": {}},
    ]
    file = {"format": 1, "slug": "any", "name": "Any", "kind": "dynamic_api", "nodes": nodes, "cases": []}
    exported = drafts.export_file(drafts.import_file(stage.entity, pretty(file), by=stage.ana))
    assert pretty(nodes) == drafts.Flow.objects.get(slug="any").draft
    assert drafts.export_file(drafts.import_file(stage.entity, exported, by=stage.ana)) == exported


def test_importing_creates_the_flow_with_a_record(stage: Stage):
    flow = drafts.import_file(stage.entity, GOLDEN, by=stage.ana)
    assert (flow.slug, flow.kind, flow.last_number, flow.draft_revision) == ("order-update", "dynamic_api", 7, 1)
    assert [case.name for case in Case.objects.order_by("pk")] == ["second", "first"]
    edit = Edit.objects.get(subject=f"flow:{flow.pk}")
    assert (edit.by, edit.at) == (stage.ana, Flow.objects.get(pk=flow.pk).changed_at)


def test_importing_again_replaces_the_draft_under_the_next_revision(stage: Stage):
    first = drafts.import_file(stage.entity, GOLDEN, by=stage.ana)
    second = drafts.import_file(stage.entity, flow_file(name="New name"), by=stage.ben)
    assert first.pk == second.pk
    second.refresh_from_db()
    assert (second.name, second.draft_revision, second.changed_by) == ("New name", 2, stage.ben)
    assert not second.cases.exists()


def test_numbers_once_given_stay_given(stage: Stage):
    drafts.import_file(stage.entity, GOLDEN, by=stage.ana)
    assert drafts.import_file(stage.entity, flow_file(), by=stage.ana).last_number == 7
    assert drafts.import_file(stage.entity, flow_file(last_number=12), by=stage.ana).last_number == 12


def test_importing_what_is_there_already_changes_nothing(stage: Stage):
    drafts.import_file(stage.entity, GOLDEN, by=stage.ana)
    flow = drafts.import_file(stage.entity, " ".join(GOLDEN.split()), by=stage.ben)
    flow.refresh_from_db()
    assert (flow.draft_revision, flow.changed_by, Edit.objects.count()) == (1, stage.ana, 1)


def test_a_change_of_a_case_is_a_change(stage: Stage):
    drafts.import_file(stage.entity, GOLDEN, by=stage.ana)
    flow = drafts.import_file(stage.entity, GOLDEN.replace("Zoë", "Zoe"), by=stage.ben)
    assert flow.draft_revision == 2
    assert "Zoe" in drafts.export_file(flow)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "Line 1"),
        ("[]", "object"),
        ('{"format": 2}', "format"),
        (flow_file().replace('"next": 2', '"next": 8'), r"nodes\[0\].exits.next: there is no node 8"),
        (flow_file().replace("api_end", "magic"), r"nodes\[1\].type"),
        (flow_file(last_number=1), "last_number"),
        (flow_file(colour="red"), "colour"),
        (flow_file().replace("200", "NaN"), "NaN"),
    ],
)
def test_a_file_that_is_refused_leaves_everything_as_it_was(stage: Stage, text: str, place: str):
    drafts.import_file(stage.entity, GOLDEN, by=stage.ana)
    with pytest.raises(FlowError, match=place):
        drafts.import_file(stage.entity, text, by=stage.ben)
    assert drafts.export_file(Flow.objects.get()) == GOLDEN
    assert Edit.objects.count() == 1


def test_the_kind_of_a_flow_never_changes(stage: Stage):
    stage.draft()
    with pytest.raises(GraphRefused, match="kind: the flow order-update is a dynamic_api flow"):
        stage.draft(kind="standard")


def test_only_builders_change_drafts(stage: Stage):
    flow = stage.draft()
    for name in ("olga", "cleo", "ines", "vito"):
        with pytest.raises(PermissionDenied, match="Builder"):
            drafts.import_file(stage.entity, flow_file(status=500), by=stage.people[name])
        with pytest.raises(PermissionDenied, match="Builder"):
            drafts.save_draft(flow, flow.draft, by=stage.people[name], based_on_revision=1)
        with pytest.raises(PermissionDenied, match="Builder"):
            drafts.new_flow(stage.entity, "New", "new", by=stage.people[name])


def test_a_new_flow_has_a_start_node(stage: Stage):
    flow = drafts.new_flow(stage.entity, "Say hello", "say-hello", "standard", by=stage.ana)
    assert (flow.name, flow.kind, flow.last_number) == ("Say hello", "standard", 1)
    assert json.loads(flow.draft) == [{"number": 1, "type": "start", "settings": {}, "exits": {"next": None}}]
    with pytest.raises(GraphRefused, match="slug: acme has a flow 'say-hello' already"):
        drafts.new_flow(stage.entity, "Again", "say-hello", by=stage.ana)
    with pytest.raises(GraphRefused, match="slug"):
        drafts.new_flow(stage.entity, "Bad", "Not A Slug", by=stage.ana)


def test_saving_on_top_of_somebody_elses_change_is_refused_and_says_whose(stage: Stage):
    flow = stage.draft()
    nodes = json.loads(flow.draft)
    nodes[0]["label"] = "Ben was here"
    drafts.save_draft(flow, json.dumps(nodes), by=stage.ben, based_on_revision=1)
    nodes[0]["label"] = "Ana was here"
    with pytest.raises(DraftConflict, match=r"ben saved this draft on .* \(revision 2\)") as conflict:
        drafts.save_draft(flow, json.dumps(nodes), by=stage.ana, based_on_revision=1)
    assert "Ben was here" in conflict.value.flow.draft
    assert drafts.save_draft(flow, json.dumps(nodes), by=stage.ana, based_on_revision=2).draft_revision == 3


def test_saving_without_a_change_leaves_no_trace(stage: Stage):
    flow = stage.draft()
    assert drafts.save_draft(flow, flow.draft, by=stage.ben, based_on_revision=1).changed_by == stage.ana
    assert Edit.objects.count() == 1


def test_an_unfinished_draft_is_saved_with_its_issues(stage: Stage):
    flow = drafts.new_flow(stage.entity, "New", "new", by=stage.ana)
    issues = drafts.issues_of(flow, "production")
    assert any(issue.severity == "error" for issue in issues)
    assert drafts.issues_of(stage.draft(), "production") == []


def test_a_new_name_is_a_change_of_the_draft(stage: Stage):
    flow = drafts.rename(stage.draft(), "  Better name ", by=stage.ben)
    flow.refresh_from_db()
    assert (flow.name, flow.draft_revision, flow.changed_by) == ("Better name", 2, stage.ben)
    for name in ("", " ", "x" * 201):
        with pytest.raises(GraphRefused, match="name"):
            drafts.rename(flow, name, by=stage.ben)
