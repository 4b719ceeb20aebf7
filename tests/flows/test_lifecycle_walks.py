"""Any sequence of acts of any people: nothing is ever deployed that a stranger to it didn't approve and deploy.

Who counts as a stranger is kept here a second time, from the plain list of who did what.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from flows import contents
from flows.engine.strictjson import loads
from flows.lifecycle import Refused, allowed, perform, submit
from flows.models import Flow, Membership, Version
from flows.seals import tampering
from tests.flows.stage import Stage

pytestmark = pytest.mark.django_db

PEOPLE = ("ana", "ben", "cleo", "root")
ACTS = ("edit", *["submit"] * 3, *["approve"] * 4, *["deploy"] * 4, "decline", "recall", "withdraw", "retire")
BACK = (0, 0, 0, 0, 1, 2)
STEPS = 60


@dataclass
class Memory:
    """Edits in order, and per version number how many there were when it was submitted, by whom, with whose work."""

    edits: list[str] = field(default_factory=list)
    submissions: dict[int, tuple[int, set[str]]] = field(default_factory=dict)
    deployments: list[int] = field(default_factory=list)
    yes: dict[int, dict[str, str]] = field(default_factory=dict)

    def submitted(self, number: int, by: str) -> None:
        since = self.submissions[self.deployments[-1]][0] if self.deployments else 0
        self.submissions[number] = (len(self.edits), {by, *self.edits[since:]})

    def performed(self, name: str, number: int, by: str) -> None:
        self.yes.setdefault(number, {}).setdefault(name, by)
        if name == "deploy":
            self.deployments.append(number)

    def strangers_said_yes(self, number: int) -> bool:
        said = self.yes.get(number, {})
        return {"approve", "deploy"} <= set(said) and not {said["approve"], said["deploy"]} & self.submissions[number][
            1
        ]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_people_do_what_runs_was_approved_by_strangers_to_it(stage: Stage, seed: int):
    dice = random.Random(seed)
    Membership.objects.create(entity=stage.entity, user=stage.root, role="approver", granted_by=stage.olga)
    flow = stage.draft(by=stage.ana)
    memory = Memory(edits=["ana"])
    for number in range(STEPS):
        if take(stage, memory, flow, dice.choice(PEOPLE), dice.choice(ACTS), dice.choice(BACK), number):
            check(memory, flow)
    assert memory.deployments, "a walk that never comes to a deployment shows nothing; choose another seed"


def take(stage: Stage, memory: Memory, flow: Flow, name: str, act: str, back: int, number: int) -> bool:
    """Try it; whether a version came or changed."""
    person = stage.people[name]
    if act == "edit":
        if name != "cleo":
            stage.draft(by=person, status=201 + number)
            memory.edits.append(name)
        return False
    try:
        if act == "submit":
            memory.submitted(submit(flow, by=person).number, name)
            return True
        version = flow.versions.order_by("-number")[back : back + 1].first()
        if version is None:
            return False
        may = act in allowed(version, person)
        perform(act, version, by=person, comment="Because.")
    except Refused:
        return False
    assert may
    memory.performed(act, version.number, name)
    return True


def check(memory: Memory, flow: Flow) -> None:
    for version in Version.objects.filter(flow=flow):
        assert tampering(version) == ""
        people = {contributor.user.username for contributor in version.contributors.select_related("user")}
        assert people == memory.submissions[version.number][1]
    found = contents.deployed(flow.pk)
    if found is not None:
        version = Version.objects.get(pk=found.version_id)
        assert memory.strangers_said_yes(version.number)
        assert found.plan.sha256 == version.content_id
        assert loads(version.content.text)["flow"]["slug"] == flow.slug
