"""Whatever an author writes and a caller sends: a step ends by an exit, an end or a typed failure, and never in a bug."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flows.engine.errors import GraphRefused
from flows.engine.graph import read_graph
from flows.engine.loop import Failed, Finished
from flows.engine.node import NODE_TYPES
from flows.engine.strictjson import dumps
from tests.flows.driving import Host, TestDoor, plan_of

pytestmark = pytest.mark.pure

TEXTS = [
    *(
        "",
        " ",
        "a",
        "1",
        "-0",
        "1e400",
        "١",
        "true",
        "null",
        "2026-01-31",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01",
        "😀",
        "\x7f",
    ),
    *(
        "{{ payload }}",
        "{{ payload.x }}",
        "{{ payload.x }}{{ item }}",
        "{{",
        "{{ }}",
        "{{ 1 / 0 }}",
        "{{ now }}{{ uuid }}",
        "payload.x",
    ),
    *(
        "yyyy-MM-dd",
        "''",
        "'",
        "YYYYYY",
        "#,##0.00",
        "0" * 100,
        "#E0;;",
        "%",
        "¤",
        "((((",
        "[[:alpha:]]*",
        r"(?P<a>.)\1",
        "x{1000}{1000}",
    ),
    *(
        "Europe/Paris",
        "../../etc/passwd",
        "de-DE",
        "e",
        "main",
        "rsa",
        "gone",
        "sha-256",
        "..",
        "a\r\nb: c",
        "a/b",
        "yes",
        "no",
        "other",
    ),
]
JSONS = st.recursive(
    st.sampled_from(TEXTS)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
    | st.none()
    | st.booleans()
    | st.integers(-(10**70), 10**70)
    | st.sampled_from([Decimal("1.50"), Decimal("-0.0"), Decimal("1E+399"), Decimal("1E-399")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3),
    max_leaves=6,
)
ENDPOINT = {
    "connection": "c",
    "method": "POST",
    "path": "/{{ payload.x }}/y",
    "query": [],
    "headers": [],
    "body": "{{ payload }}",
}
ENDPOINT |= {"body_type": "json", "decides": "x.y", "base_element": "x[0]", "timeout_seconds": 5, "repeat": "never"}
DEFINITIONS = {
    "endpoint": {"main": ENDPOINT},
    "key": {"main": {"kind": "aes-256", "material": "x" * 32}, "rsa": {"kind": "rsa-public", "material": "no key"}},
}


def settings_of(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Settings that are likely to be read, with anything in them."""
    fields, properties = model.model_fields, model.model_json_schema(by_alias=True)["properties"]
    required, optional = {}, {}
    for name, field in fields.items():
        key = field.alias or name
        (required if field.is_required() else optional)[key] = _values(field.annotation, properties[key])
    return st.fixed_dictionaries(required, optional=optional)


def _values(annotation: Any, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    inner = next(iter(get_args(annotation)), None)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return st.lists(settings_of(inner), max_size=2)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(TEXTS),
        "integer": st.integers(schema.get("minimum", 0), schema.get("maximum", 1)),
    }
    return kinds.get(schema.get("type", ""), JSONS)


@pytest.mark.parametrize(
    "name", [name for name, each in NODE_TYPES.items() if each.__module__.startswith("flows.nodes.")]
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_step_never_ends_in_a_bug(name: str, data: st.DataObject) -> None:
    written = data.draw(settings_of(NODE_TYPES[name]))
    payload = {"x": data.draw(JSONS)}
    exits = dict.fromkeys(NODE_TYPES[name].exits(written), 2)
    nodes = [
        {"number": 1, "type": name, "name": "it", "settings": written, "exits": exits},
        {"number": 2, "type": "api_end"},
    ]
    try:
        graph = read_graph(nodes)
    except GraphRefused:
        return
    node = graph.nodes[1].node
    if node is not None:
        assert all(finding.code and finding.message for finding in node.findings())
        assert all(kind and definition for kind, definition in node.uses())
    stand_in = {"it": {"code": data.draw(st.sampled_from([200, 404])), "data": data.draw(JSONS)}}
    run = Host(door=TestDoor(stand_in)).start(plan_of(nodes, DEFINITIONS), {"payload": payload})
    assert isinstance(run.result, Finished | Failed)
    dumps([step.as_json() for step in run.trace])
    dumps(run.state.as_json())
