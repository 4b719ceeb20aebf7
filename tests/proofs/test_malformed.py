"""Malformed requests, by the thousand: each is refused with a problem document, and leaves no row behind.

What is taken has to be in order: an independent reader says so of every body that got in.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import islice

import pytest

from tests.proofs.judge import fault_of
from tests.proofs.odd_requests import Maker, Odd
from tests.proofs.proof import Proof
from tests.proofs.stand import Stand, all_contents, rows_left


@pytest.mark.django_db
@pytest.mark.usefixtures("in_process")
def test_whatever_is_sent_is_refused_as_a_problem_and_leaves_no_row(proof: Proof) -> None:
    stand = Stand()
    contents = all_contents()
    taken: set[str] = set()
    statuses: Counter[str] = Counter()
    faults: list[tuple[str, Odd]] = []
    digest = hashlib.sha256()
    for place, (route, token) in enumerate(stand.routes):
        first = 0 if proof.full else place * 130  # the short proof goes through the odd parts once, over all routes
        made = islice(Maker(place).requests(route.method), first, first + proof.size(130, 3_000))
        for odd in made:
            answer = stand.send(route, token, odd)
            digest.update(f"{answer.status} {answer.code}\n".encode())
            statuses["taken" if answer.taken else "refused"] += 1
            if fault := fault_of(answer, odd, token):
                faults.append((f"{answer.status} {fault}", odd))
            if answer.taken:
                taken.add(answer.run_id)
    kinds = Counter(fault for fault, _ in faults)
    left = rows_left(taken, contents)
    proof.count("requests", statuses.total())
    proof.count("refused", statuses["refused"])
    proof.count("in order and taken", statuses["taken"])
    proof.count("× 5xx", sum(count for fault, count in kinds.items() if fault.endswith("5xx")))
    proof.count("other faults", sum(count for fault, count in kinds.items() if not fault.endswith("5xx")))
    proof.count("rows left", sum(left.values()))
    proof.same("answers", digest.hexdigest())
    assert [(fault, str(odd)[:300]) for fault, odd in faults][:5] == []
    assert set(left.values()) == {0}, left
