"""The steps that act on the outside: doing them once more is once too often.

A GET may come more often than somebody meant it: caches, prefetching browsers, crawlers, previews of links and retries
repeat it. So a route that answers GET leads to such a step only with a reason, which is asked for where the route is
saved, and where a version is deployed behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from flows.engine.errors import FlowError
from flows.engine.graph import GraphNode, Jump
from flows.engine.protocols import Catalog, OtherFlow
from flows.entries import unconfirmed_gets
from flows.models import Version

FindFlow = Callable[[str], OtherFlow | None]
MAX_NAMED = 3

WHY_DANGEROUS = (
    "A GET may come more often than anybody meant it: caches, prefetching browsers, crawlers, previews of links and"
    " retries repeat it."
)


def flows_of(catalog: Catalog, known: Mapping[str, OtherFlow]) -> FindFlow:
    """How `acting` finds flows: those that are given, the others in the catalog."""

    def find(slug: str) -> OtherFlow | None:
        if slug in known:
            return known[slug]
        try:
            return catalog.other_flow(slug)
        except FlowError:
            return None  # this release can't read it: a run that jumps there fails

    return find


def acting(slug: str, step: int, find_flow: FindFlow) -> list[str]:
    """The steps that act on the outside and that a run may come to which enters there, as people call them."""
    return [
        f"step {node.title} of {its_slug}"
        for its_slug, other, node in reached(slug, step, find_flow)
        if _acts(node, other)
    ]


def named(steps: list[str]) -> str:
    """Some of the steps, in one sentence's words."""
    more = f" and {len(steps) - MAX_NAMED} more" if len(steps) > MAX_NAMED else ""
    return ", ".join(steps[:MAX_NAMED]) + more


def reached(slug: str, step: int, find_flow: FindFlow) -> Iterator[tuple[str, OtherFlow, GraphNode]]:
    """Every step that such a run may come to, each once, jumps to other flows followed."""
    waiting = [(slug, step)]
    seen = set(waiting)
    while waiting:
        here, number = waiting.pop()
        other = find_flow(here)
        node = other.graph.nodes.get(number) if other else None
        if other is None or node is None:
            continue
        yield here, other, node
        targets = [_target(here, target) for target in node.exits.values() if target is not None]
        new = [target for target in dict.fromkeys(targets) if target not in seen]
        seen.update(new)
        waiting += new


def why_not_deployed(version: Version, sealed: OtherFlow, catalog: Catalog) -> str:
    """Which GET route nobody confirmed would come to act through this version, as a sentence; empty where none would."""
    own = version.flow.slug
    find_flow = flows_of(catalog, {own: sealed})
    for slug, step, by in unconfirmed_gets(version.flow.entity):
        if all(here != own for here, _, _ in reached(slug, step, find_flow)):
            continue
        if steps := acting(slug, step, find_flow):
            return (
                f"{by[:1].upper()}{by[1:]} answers GET, and with {version} its runs would come to {named(steps)}, which"
                f" acts on the outside each time. {WHY_DANGEROUS} First change the route to POST, or say on its page"
                " why its GET may have effects (route change --get-reason)."
            )
    return ""


def _target(slug: str, target: int | Jump) -> tuple[str, int]:
    return (target.flow, target.step) if isinstance(target, Jump) else (slug, target)


def _acts(node: GraphNode, other: OtherFlow) -> bool:
    if node.node is None:
        return False
    found = (other.find(kind, name) for kind, name in node.node.uses())
    return node.node.acts([definition.content for definition in found if definition is not None])
