"""Run or check a flow file in the terminal, without a server and, where no entity is named, without a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flows import outside
from flows.engine import clock
from flows.engine.errors import FlowError
from flows.engine.graph import FlowFile, Graph, read_file
from flows.engine.limits import MAX_SYNC_STEPS
from flows.engine.loop import Failed, Finished, Jumped, advance
from flows.engine.plan import Plan, compile_content
from flows.engine.protocols import Catalog, Definition, Door, Entry
from flows.engine.state import State, Step
from flows.engine.strictjson import JSON, dumps, loads, pretty
from flows.ids import new_run_id
from flows.issues import Issue, check
from flows.models import Entity, Environment
from flows.nodes.encrypt import KIND_OF_KEY, Encrypt
from flows.pretend import PretendDoor
from flows.sealing import content_of


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
    text: str, payload: str | None, *, entity: Entity | None = None, real: bool = False, step: int | None = None
) -> Told:
    """Run a flow file and tell its steps and its answer. Raises FlowError for a file or payload that can't be read."""
    file, raw, graph = read_file(text)
    plan = _plan(file, raw, graph, entity)
    given: dict[str, JSON] = {
        "payload": loads(payload) if payload is not None else _sample(graph),
        "query": {},
        "query_all": {},
        "headers": {},
        "route": {},
        "contact": None,
        "run": {"id": str(new_run_id()), "started_at": clock.now()},
    }
    state = State(run_id=given["run"]["id"], given=given, plan=plan.sha256, cursor=step or _start(graph))  # type: ignore[index,call-overload,arg-type]
    trace: list[Step] = []
    door: Door = outside.door() if real else PretendDoor(_stand_ins(file))
    result = advance(plan, state, door, trace, max_steps=MAX_SYNC_STEPS)
    lines = [line for one in trace for line in _tell(one)]
    if isinstance(result, Finished):
        return Told([*lines, f"Answer {result.end.status}", pretty(result.end.body).rstrip("\n")])
    if isinstance(result, Failed):
        return Told(lines, f"{result.error.code} {result.error.message} {result.error.hint}".strip())
    if isinstance(result, Jumped):
        return Told([*lines, f"Goes on in flow {result.to.flow} at step {result.to.step}, which isn't in this file."])
    return Told([*lines, f"Waits until {result.until}."])


def _plan(file: FlowFile, raw: dict[str, Any], graph: Graph, entity: Entity | None) -> Plan:
    about = {"slug": file.slug, "name": file.name, "kind": file.kind, "entity": entity.slug if entity else ""}
    catalog = _catalog(entity, graph, file.kind, Environment.SANDBOX)
    return compile_content(content_of(about, raw["nodes"], graph, Environment.SANDBOX, catalog), "file")


def _catalog(entity: Entity | None, graph: Graph, kind: str, environment: str) -> Catalog:
    return AnyCatalog(graph) if entity is None else outside.catalog(entity, environment, kind)


def _start(graph: Graph) -> int:
    if not graph.starts:
        raise FlowError("The flow has no start node.", hint="Add one, or say where to enter: --step N.")
    return graph.starts[0]


def _sample(graph: Graph) -> JSON:
    return next((graph.nodes[number].settings.get("sample") for number in graph.starts), None)


def _stand_ins(file: FlowFile) -> dict[str, Any]:
    """Those of the file's first case, so that a file with cases runs as its author meant."""
    return file.cases[0].stand_ins if file.cases else {}


def _tell(step: Step) -> list[str]:
    """A step in one line, what came out in a second, what went wrong in a third."""
    lines = [f"{step.number:>4} {step.name} ({step.type}) → {step.exit or 'end'}  {step.microseconds} µs"]
    if step.outputs and step.exit:
        lines.append(f"       {dumps(step.outputs)}")
    if step.error:
        lines.append(f"       {step.error['code']}: {step.error['message']}")
    return lines
