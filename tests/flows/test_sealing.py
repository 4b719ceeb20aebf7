"""Sealing: one text for one meaning, with everything that is used and nothing else."""

from __future__ import annotations

import json
import random
from hashlib import sha256

import pytest

from flows import drafts
from flows.models import Content
from flows.sealing import seal, store
from tests.flows.stage import Stage

pytestmark = pytest.mark.django_db

GOLDEN = (
    '{"definitions":{"connection":{},"endpoint":{},"key":{}},"environment":"production",'
    '"flow":{"entity":"acme","kind":"dynamic_api","name":"Order Update","slug":"order-update"},"format":1,'
    '"nodes":[{"exits":{"next":2},"number":1,"settings":{},"type":"start"},'
    '{"exits":{},"name":"done","number":2,"settings":{"status":200},"type":"api_end"}]}'
)


def test_the_text_is_canonical_and_its_hash_names_it(stage: Stage):
    sealed = seal(stage.draft(), "production", stage.catalog)
    assert sealed.text == GOLDEN
    assert sealed.sha256 == sha256(GOLDEN.encode()).hexdigest()
    assert (sealed.subjects, sealed.missing) == ({}, ())


def test_everything_that_is_used_goes_in_and_nothing_else(stage: Stage):
    stage.catalog.add_shop()
    stage.catalog.add("endpoint", "unused", "endpoint:2", (("connection", "elsewhere"),))
    sealed = seal(stage.draft(endpoint="orders"), "sandbox", stage.catalog)
    content = json.loads(sealed.text)
    assert content["environment"] == "sandbox"
    assert content["definitions"]["connection"] == {
        "shop": {"address": "https://shop.example.com", "auth": {"kind": "bearer", "name": ""}}
    }
    assert list(content["definitions"]["endpoint"]) == ["orders"]
    assert sealed.subjects == {"endpoint:1": ("endpoint", "orders"), "connection:1": ("connection", "shop")}


def test_definitions_that_need_each_other_come_to_an_end(stage: Stage):
    stage.catalog.add("endpoint", "orders", "endpoint:1", (("connection", "shop"),))
    stage.catalog.add("connection", "shop", "connection:1", (("endpoint", "orders"),))
    assert len(seal(stage.draft(endpoint="orders"), "production", stage.catalog).subjects) == 2


def test_what_is_missing_is_named_and_left_out(stage: Stage):
    stage.catalog.add("endpoint", "orders", "endpoint:1", (("connection", "shop"),))
    sealed = seal(stage.draft(endpoint="orders"), "sandbox", stage.catalog)
    assert sealed.missing == (("connection", "shop"),)
    assert json.loads(sealed.text)["definitions"]["connection"] == {}


def test_the_order_of_keys_and_the_way_a_letter_is_composed_make_no_difference(stage: Stage):
    flow = stage.draft()
    nodes = json.loads(flow.draft)
    nodes[1]["label"] = "Ä"
    flow = drafts.save_draft(flow, json.dumps(nodes), by=stage.ana, based_on_revision=1)
    first = seal(flow, "production", stage.catalog)
    nodes[1] = dict(random.Random(7).sample(list(nodes[1].items()), len(nodes[1])), label="A\u0308")
    flow = drafts.save_draft(flow, json.dumps(nodes), by=stage.ana, based_on_revision=flow.draft_revision)
    assert seal(flow, "production", stage.catalog) == first


def test_a_number_is_sealed_as_it_is_written(stage: Stage):
    def hash_of(number: str) -> str:
        file = '{"format":1,"slug":"n","name":"N","nodes":[{"number":1,"type":"start","settings":{"sample":%s}}]}'
        return seal(drafts.import_file(stage.entity, file % number, by=stage.ana), "production", stage.catalog).sha256

    assert len({hash_of("1"), hash_of("1.0"), hash_of("1.00"), hash_of("1e2")}) == 4


def test_a_text_is_stored_once(stage: Stage):
    assert store(GOLDEN) == store(GOLDEN)
    assert Content.objects.get().text == GOLDEN
