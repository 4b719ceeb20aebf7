"""Paths with references: what is filled in stays where it was put."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.engine.url_paths import PathRefused, join_path, render_path, split_path

pytestmark = pytest.mark.pure


def const(text: str) -> Callable[[str], str]:
    return lambda reference: text


@pytest.mark.parametrize(
    ("template", "segments"),
    [
        ("", []),
        ("/", []),
        ("/orders", ["orders"]),
        ("orders", ["orders"]),
        ("/orders/", ["orders", ""]),
        ("/customers/{{ payload.id }}/orders", ["customers", "{{ payload.id }}", "orders"]),
        ("/{{ a / b }}/c", ["{{ a / b }}", "c"]),
        ("/{{ 'x/y}}z' }}/c", ["{{ 'x/y}}z' }}", "c"]),
        ('/{{ payload["a/b"] }}/c', ['{{ payload["a/b"] }}', "c"]),
        ("/a-{{ x }}.{{ y }}/c", ["a-{{ x }}.{{ y }}", "c"]),
        ("/{a}/b", ["{a}", "b"]),
    ],
)
def test_a_path_is_split_outside_of_braces(template: str, segments: list[str]) -> None:
    assert split_path(template) == segments


@pytest.mark.parametrize(
    "template", ["//", "/a//b", "/a?b=c", "/a#b", "/a/../b", "/./a", "/a/%2e%2e/b", "/a\\b", "/a\nb", "/50%"]
)
def test_a_path_that_leads_elsewhere_is_refused_before_it_runs(template: str) -> None:
    with pytest.raises(PathRefused) as caught:
        split_path(template)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("template", "value", "path"),
    [
        ("/customers/{{ id }}/orders", "a/b c?d#é%", "/customers/a%2Fb%20c%3Fd%23%C3%A9%25/orders"),
        ("/orders/", "", "/orders/"),
        ("/orders('{{ id }}')", "7", "/orders('7')"),
        ("/items:batch;v=1/a%20b", "", "/items:batch;v=1/a%20b"),
        ("/{{ id }}.json", "%2e", "/%252e.json"),
        ("/", "", ""),
        ("", "", ""),
    ],
)
def test_a_value_is_encoded_and_fixed_text_stands_for_itself(template: str, value: str, path: str) -> None:
    assert render_path(template, const(value)) == path


@pytest.mark.parametrize(
    "value", ["", ".", "..", "../x", "x/../y", "..\\x", "%2e%2e", "%2e%2e%2fx", "a\r\nb", "\x00", "\ud800"]
)
def test_a_value_that_would_lead_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(PathRefused):
        render_path("/customers/{{ id }}", const(value))
    with pytest.raises(PathRefused):
        join_path(["customers", value])


def test_dots_may_not_be_put_together_from_parts() -> None:
    with pytest.raises(PathRefused):
        render_path("/a/.{{ id }}/b", const("."))
    with pytest.raises(PathRefused):
        render_path("/a/{{ x }}{{ y }}/b", const("."))


@given(st.text(max_size=30))
def test_any_value_is_one_segment_or_refused(value: str) -> None:
    try:
        path = render_path("/a/{{ x }}/b", const(value))
    except PathRefused:
        return
    assert [unquote(segment) for segment in path.split("/")] == ["", "a", value, "b"]


@given(st.text(alphabet="{}'\"/ab.%?#|\\", max_size=40))
def test_any_template_is_split_or_refused(template: str) -> None:
    try:
        segments = split_path(template)
    except PathRefused:
        return
    assert "/".join(segments) == template.removeprefix("/")
