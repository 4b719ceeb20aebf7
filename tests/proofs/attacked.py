"""Hostile texts and bombs against the engine, in a process of their own: `python -m tests.proofs.attacked attacks|bombs SHARE`.

Prints JSON. Alone, because what it does is watched from below: every audit event of Python that an attack brings about
(PEP 578: an import, a file, a process, a socket, code that is compiled or run, an attribute that is guarded) counts as
executed. SHARE is 1 for everything, n for one in n.
"""

from __future__ import annotations

import copy
import gc
import json
import os
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flows.nodes  # noqa: F401
from flows.engine.errors import FlowError, GraphRefused
from flows.engine.filters import FILTERS
from flows.engine.graph import read_graph
from flows.engine.loop import Failed, Finished
from flows.engine.node import NODE_TYPES
from flows.engine.payload_schema import problems_of_payload, problems_of_schema
from flows.engine.strictjson import dumps, loads
from flows.issues import check
from tests.flows.driving import Driven, Host, TestDoor, cases_in, plan_of
from tests.flows.issues.fake import catalog_of
from tests.proofs import bombs

HERE = Path(__file__).resolve().parent
GOLDEN = cases_in(HERE.parent / "flows" / "nodes")
PAYLOAD = {"text": "abc", "number": 5, "list": [1, 2], "object": {"a": 1}, "items": [{"name": "x", "price": 2}]}
CANARY = "canary-7f3a91"
TELLTALE = re.compile(rf"{CANARY}|<(class|function|module|built-in|bound method|slot wrapper) |object at 0x|root:x:0")
HARMLESS = ("babel", "tzdata", "zoneinfo")
"""Where babel and the time zones keep their data, which a locale or zone by name reads."""

WATCHED: dict[str, Any] = {"on": False, "seen": []}


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHED["on"] and event not in ("builtins.id", "gc.collect"):
        shown = f"{event} {str(arguments)[:200]}"
        if not any(name in shown for name in HARMLESS):
            WATCHED["seen"].append(shown)


@dataclass
class Found:
    """What came of all of it."""

    tried: int = 0
    texts: int = 0
    places: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    executed: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    milliseconds: float = 0
    mebibytes: float = 0
    slowest: str = ""
    largest: str = ""
    over: list[str] = field(default_factory=list)


# --- Attacks -----------------------------------------------------------------------------------------------------------


def places() -> Iterator[tuple[str, dict[str, Any], tuple[Any, ...]]]:
    """Every text in the settings and definitions of every golden case, once per node type and setting."""
    seen: set[tuple[str, str]] = set()
    for name, cases in GOLDEN.items():
        for case in cases:
            for part in ("settings", "definitions"):
                for path in leaves(case.get(part, {}), (part,)):
                    where = name, ".".join("*" if isinstance(key, int) else str(key) for key in path)
                    if where not in seen:
                        seen.add(where)
                        yield name, case, path


def leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


def with_text(case: dict[str, Any], path: tuple[Any, ...], text: str) -> dict[str, Any]:
    made = {"settings": {}, "definitions": {}, **copy.deepcopy(case)}
    *way, last = path
    holder: Any = made
    for key in way:
        holder = holder[key]
    holder[last] = text
    return made


def run_case(name: str, case: dict[str, Any], names: dict[str, Any]) -> tuple[str, str]:
    """How it ended, and everything that was said on the way."""
    try:
        exits = dict.fromkeys(NODE_TYPES[name].exits(case["settings"]), 2)
        nodes = [{"number": 1, "type": name, "name": "it", "settings": case["settings"], "exits": exits}]
        nodes += [{"number": 2, "type": "api_end", "name": "end"}, *([] if name == "start" else [bombs.START])]
        graph = read_graph(nodes)
    except GraphRefused as error:
        return "refused as a file", f"{error.message} {error.hint}"
    issues = check(graph, slug="tried", kind="dynamic_api", catalog=catalog_of({}))
    run = Host(door=TestDoor(case.get("stand_ins"))).start(plan_of(nodes, case["definitions"]), names)
    said = [str(issues), dumps(run.state.as_json()), str(run.trace), str(run.result)]
    wrong = [issue.code for issue in issues if issue.severity == "error"]
    return ending(run) if not wrong else "an issue", " ".join(said)


def ending(run: Driven) -> str:
    failed = isinstance(run.result, Failed) or any(step.error for step in run.trace)
    return "a typed error" if failed else "a value"


def attack(found: Found, name: str, case: dict[str, Any], path: tuple[Any, ...], text: str) -> None:
    made = with_text(case, path, text)
    names = {"payload": {**PAYLOAD, **case.get("names", {}).get("payload", {}), "attack": text}}
    WATCHED["on"], began = True, time.process_time()
    try:
        outcome, said = run_case(name, made, {**case.get("names", {}), **names})
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        outcome, said = "crashed", ""
        found.crashed.append(f"{name} {path} {text!r}: {error!r}")
    finally:
        WATCHED["on"] = False
    took = (time.process_time() - began) * 1000
    note(found, took, 0, f"{name} {path}: {text[:80]}")
    found.outcomes[outcome] += 1
    where = f"{name} {path} {text!r}"
    found.executed += [f"{where}: {event}" for event in WATCHED["seen"]]
    WATCHED["seen"] = []
    shown = said.replace(repr(text)[1:-1], "").replace(text, "")
    if leak := TELLTALE.search(shown):
        found.executed.append(f"{where}: says {leak[0]}")


def read_again(found: Found, text: str) -> None:
    """What a partner sent goes through three steps, and comes out as it went in: nothing of it is ever filled in."""
    nodes: list[dict[str, Any]] = [
        {
            "number": 1,
            "type": "set_variable",
            "settings": {"assignments": [{"name": "x", "value": "{{ payload.attack }}"}]},
        },
        {"number": 2, "type": "display_list", "name": "d", "settings": {"items": ["{{ x }}"], "line": "{{ item }}"}},
        {
            "number": 3,
            "type": "remap",
            "name": "r",
            "settings": {"value": 1, "mapping": [{"from": 1, "to": "{{ d.result }}"}]},
        },
        {"number": 4, "type": "api_end", "settings": {"body": {"a": "{{ r.result }}", "b": "<{{ r.result }}>"}}},
    ]
    for node in nodes[:3]:
        node["exits"] = {"yes": node["number"] + 1, "no": node["number"] + 1}
    run = Host(door=TestDoor()).start(plan_of(nodes), {"payload": {"attack": text}})
    body = run.result.end.body if isinstance(run.result, Finished) else run.result
    if body != {"a": text, "b": f"<{text}>"}:
        found.executed.append(f"{text!r} from a partner became {body}")


def attacks(share: int) -> Found:
    texts = [text for group in json.loads((HERE / "attacks.json").read_text()).values() for text in group]
    found, all_places = Found(), list(places())
    found.texts, found.places = len(set(texts)), len(all_places)
    for name, case, path in all_places:  # what is imported and read the first time isn't the attack's doing
        run_case(name, with_text(case, path, "{{ payload.text }}"), {"payload": PAYLOAD})
        run_case(name, {"settings": {}, "definitions": {}, **case}, case.get("names", {}))
    assert all(each.usage is not None for each in FILTERS.values())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, text in enumerate(dict.fromkeys(texts)):
        read_again(found, text)
        for place, (name, case, path) in enumerate(all_places):
            if (number + place) % share == 0:
                attack(found, name, case, path, text)
                found.tried += 1
    note(found, 0, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, "all attacks together")
    return found


# --- Bombs -------------------------------------------------------------------------------------------------------------


def note(found: Found, milliseconds: float, mebibytes: float, what: str) -> None:
    if milliseconds > found.milliseconds:
        found.milliseconds, found.slowest = milliseconds, what
    if mebibytes > found.mebibytes:
        found.mebibytes, found.largest = mebibytes, what
    if milliseconds > 100 or mebibytes > 32:
        found.over.append(f"{what}: {milliseconds:.0f} ms, {mebibytes:.0f} MiB")


def explode(make: Callable[[], bombs.Bomb]) -> str:
    """From the draft to the end of the run."""
    nodes, payload = make()
    nodes, payload = [*nodes, bombs.START], loads(dumps(payload))
    start_measuring()
    try:
        check(read_graph(nodes), slug="tried", kind="dynamic_api", catalog=catalog_of({}))
        return ending(Host(door=TestDoor()).start(plan_of(nodes), {"payload": payload}))
    except FlowError:
        return "refused as a file"


def explode_schema(make: Callable[[], tuple[Any, Any]]) -> str:
    schema, payload = (loads(json.dumps(each)) for each in make())
    start_measuring()
    if problems_of_schema(schema):
        return "an issue"
    return "a typed error" if problems_of_payload(schema, payload) else "a value"


BEGAN = {"seconds": 0.0, "kibibytes": 0}


def start_measuring() -> None:
    gc.collect()
    BEGAN["kibibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    BEGAN["seconds"] = time.process_time()


def in_a_child(explode_it: Callable[[Any], str], make: Any) -> dict[str, Any]:
    """What a bomb took, measured in a process of its own: time on the processor, and how far its memory grew."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome = explode_it(make)
        except BaseException as error:  # noqa: BLE001 - the parent tells
            outcome = f"crashed: {error!r}"
        seconds = time.process_time() - BEGAN["seconds"]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - BEGAN["kibibytes"]
        os.write(writing, json.dumps({"outcome": outcome, "ms": seconds * 1000, "mib": grown / 1024}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    result: dict[str, Any] = json.loads(told) if told else {"outcome": "crashed: killed", "ms": 0, "mib": 0}
    return result


def explode_all(share: int) -> Found:
    found = Found()
    wanted = [(explode, name, make) for name, make in bombs.ALL.items()]
    wanted += [(explode_schema, name, make) for name, make in bombs.SCHEMAS.items()]
    for warm in (bombs.ALL["many filters"], bombs.ALL["date again and again"]):
        explode(warm)
    problems_of_payload({"type": "object"}, 1)
    for explode_it, name, make in wanted[::share]:
        told = in_a_child(explode_it, make)
        found.tried += 1
        note(found, told["ms"], told["mib"], name)
        if told["outcome"].startswith("crashed"):
            found.crashed.append(f"{name} {told['outcome']}")
        found.outcomes[told["outcome"].partition(":")[0]] += 1
    found.texts = found.tried
    return found


if __name__ == "__main__":
    os.environ["CANARY"] = CANARY
    sys.addaudithook(watch)
    print(json.dumps(vars({"attacks": attacks, "bombs": explode_all}[sys.argv[1]](int(sys.argv[2])))))
