"""Run or check a flow file in the terminal, without a server and, where no entity is named, without a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flows import contents, outside
from flows.engine import clock
from flows.engine.errors import FlowError
from flows.engine.graph import FlowFile, Graph, read_file
from flows.engine.limits import MAX_SYNC_STEPS
from flows.engine.loop import Failed, Finished, Jumped, Waiting, advance, enter
from flows.engine.payload_schema import problems_of_payload, problems_of_schema
from flows.engine.plan import Plan, compile_content
from flows.engine.protocols import Catalog, Definition, Door, Entry
from flows.engine.state import State, Step
from flows.engine.strictjson import JSON, dumps, loads, pretty, stored
from flows.execution import error_text
from flows.ids import new_run_id
from flows.issues import Issue, check
from flows.models import Entity, Environment, Flow
from flows.nodes.encrypt import KIND_OF_KEY, Encrypt
from flows.nodes.start import Start
from flows.pretend import PretendDoor
from flows.sealing import content_of
from flows.sensitive import OPENLY, Keeping, marks_of, widened_for


class AnyCatalog:
    """A Catalog that has whatever a graph asks for, going nowhere: for a file on its own."""

    def __init__(self, graph: Graph) -> None:
        encrypting = [node.node for node in graph.nodes.values() if isinstance(node.node, Encrypt)]
        self._key_kinds = {node.key: KIND_OF_KEY.get(node.algorithm, "") for node in encrypting}

    def find(self, kind: str, name: str) -> Definition | None:
        content = self._key(name) if kind == "key" else dict(_STAND_INS.get(kind, {}))
        return Definition(kind, name, content, "", ())

    def _key(self, name: str) -> dict[str, Any]:
        kind = self._key_kinds.get(name, "")
        return {"kind": kind, "public_key": _new_public_key()} if kind == "rsa-public" else {"kind": kind}

    def names(self, kind: str) -> Iterable[str]:
        return ()

    def other_flow(self, slug: str) -> None:
        return None

    def flow_exists(self, slug: str) -> bool:
        return True

    def entries(self, slug: str) -> Iterable[Entry]:
        return ()


_STAND_INS: dict[str, dict[str, Any]] = {
    "endpoint": {
        "connection": "pretended",
        "method": "POST",
        "path": "/",
        "query": [],
        "headers": [],
        "body": None,
        "body_type": "json",
        "decides": "code",
        "base_element": "",
        "timeout_seconds": 10,
        "repeat": "safe",
    },
}


def _new_public_key() -> str:
    """Of a key pair that nobody keeps."""
    public = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True)
class Told:
    """What to print; `failed` is the reason where the run failed."""

    lines: list[str]
    failed: str = ""


def issues_of_file(text: str, entity: Entity | None) -> list[Issue]:
    """The issues of a flow file, against the definitions of `entity` where one is given."""
    file, _, graph = read_file(text)
    return check(
        graph, slug=file.slug, kind=file.kind, catalog=_catalog(entity, graph, file.kind, Environment.PRODUCTION)
    )


def run_file(
    text: str,
    payload: str | None,
    *,
    entity: Entity | None = None,
    real: bool = False,
    step: int | None = None,
    query: Sequence[tuple[str, str]] = (),
    headers: Sequence[tuple[str, str]] = (),
) -> Told:
    """Run a flow file and tell its steps and its answer. Raises FlowError for a file or request that a route would refuse."""
    file, raw, graph = read_file(text)
    plan = _plan(file, raw, graph, entity)
    start = _start(graph, step)
    run_id = str(new_run_id())
    given: dict[str, JSON] = {
        "payload": loads(payload) if payload is not None else _sample(graph),
        "query": dict(query),
        "query_all": {name: [value for other, value in query if other == name] for name, _ in query},
        "headers": {name.lower().replace("-", "_"): value for name, value in headers},
        "route": {},
        "contact": None,
        "run": {"id": run_id, "started_at": clock.now()},
    }
    schema = _schema(graph, start)
    _refuse_payload(schema, given["payload"])
    state = State(run_id=run_id, given=given, plan=plan.sha256, cursor=start)
    keeping = widened_for(UUID(run_id), marks_of(plan), given["payload"], OPENLY)
    door = outside.door() if real else PretendDoor(_stand_ins(file))
    return _advance(plan, state, door, entity, keeping)


def _advance(plan: Plan, state: State, door: Door, entity: Entity | None, keeping: Keeping) -> Told:
    """From flow to flow, as long as there is an entity to find them in. Steps are told as a run's page shows them."""
    lines: list[str] = []
    while True:
        trace: list[Step] = []
        result = advance(plan, state, door, trace, max_steps=MAX_SYNC_STEPS)
        keeping = keeping.learned(trace)
        lines += [line for one in stored(keeping.trace(trace)) for line in _tell(one)]
        if not isinstance(result, Jumped):
            return _end(result, lines, keeping, trace)
        to = result.to
        if to.flow != plan.slug:
            if entity is None:
                return Told([*lines, f"Goes on in flow {to.flow} at step {to.step}, which isn't in this file."])
            found = Flow.objects.select_related("entity").filter(entity=entity, slug=to.flow, kind=plan.kind).first()
            if found is None:
                return Told(lines, f"CT04 There is no flow {to.flow!r} to go on in.")
            plan = contents.sealed_draft(found)[1]
            keeping = widened_for(UUID(state.run_id), marks_of(plan), state.given["payload"], keeping)
        lines.append(f"Goes on in flow {to.flow} at step {to.step}.")
        enter(plan, state, to.step)


def _end(result: Finished | Failed | Waiting, lines: list[str], keeping: Keeping, trace: list[Step]) -> Told:
    if isinstance(result, Finished):
        return Told([*lines, f"Answer {result.end.status}", pretty(result.end.body).rstrip("\n")])
    if isinstance(result, Failed):
        error: Any = stored(keeping.error(error_text(result.error), trace))
        return Told(lines, f"{error['code']} {error['message']} {error['hint']}".strip())
    return Told([*lines, f"Waits until {result.until}."])


def _schema(graph: Graph, step: int) -> dict[str, Any] | None:
    """The schema that a payload has to meet that enters there. Raises FlowError where it isn't one."""
    start = graph.nodes[step].node
    if not isinstance(start, Start) or start.payload_schema is None:
        return None
    for problem in problems_of_schema(start.payload_schema):
        raise FlowError(f"The payload_schema can't be used: {problem['pointer'] or 'it'} {problem['message']}.")
    return start.payload_schema


def _refuse_payload(schema: dict[str, Any] | None, payload: JSON) -> None:
    """As the route does. Raises FlowError."""
    found = problems_of_payload(schema, payload) if schema is not None else []
    wrong = [f"{each['pointer'] or 'it'} {each['message']}" for each in found]
    if wrong:
        raise FlowError(f"422 payload_refused: The payload doesn't meet the schema: {'; '.join(wrong)}.")


def _plan(file: FlowFile, raw: dict[str, Any], graph: Graph, entity: Entity | None) -> Plan:
    about = {"slug": file.slug, "name": file.name, "kind": file.kind, "entity": entity.slug if entity else ""}
    catalog = _catalog(entity, graph, file.kind, Environment.SANDBOX)
    return compile_content(content_of(about, raw["nodes"], graph, Environment.SANDBOX, catalog), "file")


def _catalog(entity: Entity | None, graph: Graph, kind: str, environment: str) -> Catalog:
    return AnyCatalog(graph) if entity is None else outside.catalog(entity, environment, kind)


def _start(graph: Graph, step: int | None) -> int:
    if step is not None and step not in graph.nodes:
        raise FlowError(f"There is no step {step}.", hint=f"The flow has {', '.join(map(str, graph.nodes))}.")
    if step is not None:
        return step
    if not graph.starts:
        raise FlowError("The flow has no start node.", hint="Add one, or say where to enter: --step N.")
    return graph.starts[0]


def _sample(graph: Graph) -> JSON:
    return next((graph.nodes[number].settings.get("sample") for number in graph.starts), None)


def _stand_ins(file: FlowFile) -> dict[str, Any]:
    """Those of the file's first case, so that a file with cases runs as its author meant."""
    return file.cases[0].stand_ins if file.cases else {}


def _tell(step: dict[str, Any]) -> list[str]:
    """A step in one line, what came out in a second, what went wrong in a third."""
    left_by, error = step["exit"], step.get("error")
    lines = [f"{step['number']:>4} {step['name']} ({step['type']}) → {left_by or 'end'}  {step['microseconds']} µs"]
    if "out" in step and left_by:
        lines.append(f"       {dumps(step['out'])}")
    if error:
        lines.append(f"       {error['code']}: {error['message']}")
    return lines
