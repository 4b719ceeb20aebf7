"""docs/issues.md is made from the kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.issues import KINDS
from flows.issues.base.page import page

pytestmark = pytest.mark.pure

PAGE = Path(__file__).resolve().parents[3] / "docs" / "issues.md"


def test_the_page_of_issues_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(KINDS), "python -m flows.issues > docs/issues.md"
