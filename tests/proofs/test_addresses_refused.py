"""No target that isn't public is reached: however it is written, wherever it comes from, whatever its name turns to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

import idna
import pytest

from integrations import kept, sockets
from integrations.addresses import may_connect
from integrations.http import CallFailed, CallNotBuilt
from tests.integrations.servers import Server
from tests.integrations.targets import (
    FORBIDDEN_ADDRESSES,
    FORBIDDEN_NAMES,
    FORBIDDEN_SPELLINGS,
    PUBLIC_ADDRESSES,
    PUBLIC_NAMES,
    REFUSED_URLS,
)
from tests.integrations.test_addresses import RANGES, is_special
from tests.proofs import ways_out
from tests.proofs.proof import Proof
from tests.proofs.ways_out import PUBLIC, House, Watch, Way, tried, watching

REDIRECTS = "127.0.0.2"
"""Where a server redirects from; the operator allows this one."""

FORESEEN = {"CallFailed", "CallNotBuilt", "PathRefused", "ValidationError", "GraphRefused", "JSONRefused", "no refusal"}
"""There is none where a target stands in a place that leads nowhere, like a query."""


@pytest.fixture
def watch(settings: Any) -> Iterator[Watch]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [f"{REDIRECTS}/32"]
    with watching() as found:
        found.names |= {name.rstrip(".").lower(): there for name, there in FORBIDDEN_NAMES.items()}
        yield found
    kept.forget()


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def targets(watch: Watch) -> list[str]:
    """Each host on a canary's port and on the usual one, and URLs that one might read in two ways."""
    hosts = [*map(bracketed, FORBIDDEN_ADDRESSES), *FORBIDDEN_SPELLINGS, *FORBIDDEN_NAMES]
    ports = [canary.port for canary in watch.canaries]
    on_ports = [f"http://{host}:{ports[host.startswith('[')]}/" for host in hosts]
    return on_ports + [f"https://{host}/" for host in hosts] + REFUSED_URLS


def reached(watch: Watch, but: Iterable[str] = ()) -> list[str]:
    """Where sockets were led that nobody may call."""
    return [host for host, _ in watch.connected if host not in but and special(host)]


def special(host: str) -> bool:
    address = ip_address(host)
    return is_special(address.version, int(address))


def test_the_watch_sees_a_canary_that_is_reached(watch: Watch, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8", "::1"]
    for canary in watch.canaries:
        assert tried(ways_out.by_the_door, canary.url()) == "no refusal"
    assert (watch.served, reached(watch)) == (2, ["127.0.0.1", "::1"])


def try_all(proof: Proof, watch: Watch, ways: dict[str, Way], chosen: list[str]) -> None:
    outcomes: Counter[str] = Counter()
    for target in chosen:
        outcomes.update(tried(way, target) for way in ways.values())
    found = reached(watch, but=[REDIRECTS])
    proof.count("targets", len(chosen))
    proof.count("places", len(ways))
    proof.count("tries", len(chosen) * len(ways))
    proof.count("connections to public addresses only", len(watch.connected) - len(found))
    proof.count("reached", len(found) + watch.served)
    assert (found, watch.served) == ([], 0)
    assert set(outcomes) <= FORESEEN


def test_no_target_is_reached_through_the_door(proof: Proof, watch: Watch) -> None:
    place = {"location": ""}
    redirecting = Server(
        lambda request: [
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place["location"].encode() + b"\r\n\r\n"
        ],
        host=REDIRECTS,
    )
    watch.may_connect.add((REDIRECTS, redirecting.port))
    ways: dict[str, Way] = {
        "the door": ways_out.by_the_door,
        "the address of a call": ways_out.by_the_address_of_a_call,
        "the path of a call": ways_out.by_the_path_of_a_call,
        "headers": ways_out.by_headers,
        "proxies of the environment": ways_out.by_settings_of_the_environment,
        "redirects": ways_out.by_redirects(redirecting, place),
    }
    chosen = targets(watch)[:: proof.size(5, 1)]
    with redirecting:
        try_all(proof, watch, ways, chosen)
    assert len(redirecting.requests) == len(chosen)


@pytest.mark.django_db
def test_no_target_is_reached_by_what_people_save(proof: Proof, watch: Watch) -> None:
    try_all(proof, watch, House.make().ways(), targets(watch)[:: proof.size(25, 1)])
    assert (PUBLIC, 443) in watch.connected  # the steps did call


def test_no_name_leads_inwards_by_changing_its_address(proof: Proof, watch: Watch, monkeypatch: Any) -> None:
    lookups = proof.size(100, 500)
    chance = random.Random(3)
    inner = ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"]
    turns = [[PUBLIC] if number % 2 else [chance.choice(inner)] for number in range(lookups // 2)]
    turns += [chance.sample([PUBLIC, *inner], chance.randint(1, 4)) for _ in range(lookups - len(turns))]
    answers, asked = iter(turns), [0]

    def rebinding(host: str, port: int) -> list[tuple[int, Any]]:
        watch.names["rebinding.test"] = next(answers)
        asked[0] += 1
        return watch.resolve(host, port)

    monkeypatch.setattr(sockets, "resolve", rebinding)
    ports = [canary.port for canary in watch.canaries]
    outcomes = Counter(
        tried(ways_out.by_the_door, f"http://rebinding.test:{ports[number % 2]}/") for number in range(lookups)
    )
    proof.count("look-ups", asked[0])
    proof.count("connections to the public address", sum(host == PUBLIC for host, _ in watch.connected))
    proof.count("reached", len(reached(watch)) + watch.served)
    assert (reached(watch), watch.served, outcomes) == ([], 0, {"CallFailed": lookups})
    assert asked[0] == lookups


def ascii_name(name: str) -> str:
    return name.lower().rstrip(".") if name.isascii() else idna.encode(name, uts46=True).decode()


def test_every_public_target_may_be_called(proof: Proof, watch: Watch) -> None:
    watch.names |= {ascii_name(name): PUBLIC_NAMES[name] for name in PUBLIC_NAMES}
    chosen = [f"https://{bracketed(address)}:{port}/" for address in PUBLIC_ADDRESSES for port in (443, 8443, 80)]
    chosen += [f"{scheme}://{name}/v1" for name in PUBLIC_NAMES for scheme in ("http", "https")]
    refused = []
    for target in chosen:
        before = len(watch.connected)
        with pytest.raises((CallFailed, CallNotBuilt)) as caught:
            ways_out.by_the_address_of_a_call(target)
        if caught.value.code != "could_not_connect" or len(watch.connected) == before:
            refused.append(target)
    proof.count("public targets", len(chosen))
    proof.count("refused", len(refused))
    assert (refused, reached(watch)) == ([], [])


def test_the_policy_agrees_with_the_registries_of_iana(proof: Proof) -> None:
    """Random addresses, half of them near the edges of blocks, against a table of its own (tests/integrations)."""
    chance, count = random.Random(20261121), proof.size(2_000, 20_000)
    disagreements = []
    for number in range(count):
        version, bits = (4, 32) if number % 2 else (6, 128)
        value = chance.getrandbits(bits)
        if chance.random() < 0.5:
            edge = chance.choice(chance.choice(RANGES[version]))
            value = min(max(edge + chance.randint(-70_000, 70_000), 0), 2**bits - 1)
        elif version == 6 and chance.random() < 0.7:
            value = value >> 3 | 1 << 125 if chance.random() < 0.7 else value & (2**48 - 1)
        text = written(version, value)
        if may_connect(text, 443) == is_special(version, value):
            disagreements.append(text)
    proof.count("addresses", count)
    proof.count("disagreements", len(disagreements))
    assert disagreements == []


def written(version: int, value: int) -> str:
    if version == 4:
        return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
    return ":".join(f"{value >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
