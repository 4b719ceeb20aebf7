"""The page of the front door names every problem there is."""

import re
from pathlib import Path

from routing.problem import PROBLEMS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "front-door.md"


def test_the_page_lists_every_problem_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(code, str(row.status), row.title) for code, row in PROBLEMS.items()]
