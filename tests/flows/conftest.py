"""Fixtures of the tests of flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.stage import Stage, make_stage


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """An entity with people and a catalog of its own, in an empty database."""
    from flows import contents, outside

    marker = request.node.get_closest_marker("django_db")
    request.getfixturevalue("transactional_db" if marker and marker.kwargs.get("transaction") else "db")
    registered = dict(outside._registered)
    contents.forget()
    try:
        yield make_stage()
    finally:
        outside._registered.clear()
        outside._registered.update(registered)
        contents.forget()


@pytest.fixture
def own_doors() -> Iterator[None]:
    """Doors and catalogs that a test registers are gone after it."""
    from flows import contents, outside

    registered = dict(outside._registered)
    contents.forget()
    yield
    outside._registered.clear()
    outside._registered.update(registered)
    contents.forget()
