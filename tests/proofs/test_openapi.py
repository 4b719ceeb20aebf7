"""schemathesis reads the OpenAPI document of each route, and calls the route with what fits it and what doesn't."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from routing.partner import link_to
from tests.proofs.judge import Answered, is_whole
from tests.proofs.proof import Proof
from tests.proofs.stand import Stand, all_contents, rows_left

load_all_checks()
LEFT_OUT = CHECKS.get_by_names(["positive_data_acceptance"])
"""We refuse some of what a schema can't forbid: a NUL in a text, a key that was used before, a form without numbers."""


@dataclass
class Caller:
    """Calls one route, and keeps what came of it."""

    stand: Stand
    token: str
    examples: int
    statuses: Counter[int] = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def call_all(self, document: str, mode: GenerationMode) -> None:
        schema = schemathesis.openapi.from_wsgi(document, app=self._application)
        for operation in schema.get_all_operations():
            cases = operation.ok().as_strategy(generation_mode=mode)
            quickly = settings(max_examples=self.examples, database=None, suppress_health_check=list(HealthCheck))
            quickly(given(case=cases)(self._call))()

    def _application(self, environ: dict[str, Any], begin: Any) -> Any:
        return self.stand.handler(environ | {"REMOTE_ADDR": "192.0.2.1"}, begin)

    def _call(self, case: Case) -> None:
        sent = {"Authorization": f"Bearer {self.token}"}
        response = case.call(headers=sent)
        answer = Answered(response.status_code, {k: v[0] for k, v in response.headers.items()}, response.content)
        self.statuses[answer.status] += 1
        if answer.status in (200, 202):
            self.taken.add(answer.run_id)
        elif not is_whole(json.loads(answer.body), answer.status):
            self.faults.append(f"{answer.status} isn't a whole problem")
        try:
            case.validate_response(response, headers=sent, excluded_checks=LEFT_OUT)
        except AssertionError as failure:
            self.faults.append(f"{answer.status} {failure}")
        except BaseExceptionGroup as failures:
            self.faults += [f"{answer.status} {failure}" for failure in failures.exceptions]


@pytest.mark.django_db
@pytest.mark.usefixtures("in_process")
def test_every_route_keeps_to_its_own_openapi_document(proof: Proof) -> None:
    stand, contents = Stand(), all_contents()
    taken: set[str] = set()
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    for route, token in stand.routes:
        caller = Caller(stand, token, proof.size(1, 200), statuses, taken, faults)
        document = link_to(route).removeprefix("http://testserver") + "openapi.json"
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            caller.call_all(document, mode)
    left = rows_left(taken, contents)
    proof.count("requests", statuses.total())
    proof.count("taken", statuses[200] + statuses[202])
    proof.count("× 5xx", sum(count for status, count in statuses.items() if status >= 500))
    proof.count("answers that break the document", len(faults))
    proof.count("rows left", sum(left.values()))
    assert faults[:5] == []
    assert set(left.values()) == {0}, left
