"""Whether the log of changes is whole: every row as it was sealed, after the row that it followed (flows/changes.py).

Rows cut off the end of a chain leave no gap. Whoever kept the last seal elsewhere sees it: no row has it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flows.changes import FIRST, holds
from flows.models import Change, Entity

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Chain:
    """The rows of an entity, or of the instance: how many fit, and the seal of the last that does."""

    entity: Entity | None
    rows: int
    head: str
    misfit: Change | None = None

    @property
    def name(self) -> str:
        return self.entity.slug if self.entity else "the instance"

    @property
    def problem(self) -> str:
        """What is wrong, as a sentence; empty where nothing is."""
        if self.misfit is None:
            return ""
        row = self.misfit
        return (
            f"The log of {self.name} doesn't fit at row {row.pk} ({row}, {row.at:%Y-%m-%dT%H:%M:%SZ}): it was edited or"
            " added past Chatflow, or rows before it were moved or deleted."
        )


def walk(entity: Entity | None) -> Chain:
    """The chain of an entity, None for the instance's, up to the first row that doesn't fit. Needs bounded memory."""
    rows, seal = 0, FIRST
    for row in Change.objects.filter(entity=entity).order_by("id").iterator(chunk_size=BATCH):
        if not holds(row, seal):
            return Chain(entity, rows, seal, row)
        rows, seal = rows + 1, row.seal
    return Chain(entity, rows, seal)


def walk_all() -> Iterator[Chain]:
    """Every chain, the instance's first."""
    yield walk(None)
    for entity in Entity.objects.order_by("slug"):
        yield walk(entity)


def lost(heads: Iterable[str]) -> list[str]:
    """Those of the seals somebody kept that no row has: it was cut off the end, with those after it."""
    return [head for head in heads if not Change.objects.filter(seal=head).exists()]
