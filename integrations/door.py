"""The real Door: from a node's wish to a call that is logged in at its service. The only place that opens secrets.

What it may reach is decided by the sealed definitions of the content that runs, never by what a connection says today.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.views.decorators.debug import sensitive_variables

from flows.engine.errors import NodeError
from flows.engine.protocols import Answer, Call
from flows.engine.strictjson import JSON
from flows.engine.values import to_text
from flows.lending import give_back
from flows.masking import Mask
from flows.models import Environment
from flows.pretend import PretendDoor
from integrations.answers import read
from integrations.building import build_url, form_body, json_body, text_body
from integrations.connections import host_of, place_of
from integrations.http import SAFE_METHODS, OutboundRequest, OutboundResponse, send
from integrations.keys import open_material
from integrations.models import Auth, Key, KeyKind, Secret
from integrations.outbound import CallNotBuilt
from integrations.redaction import mask_of
from integrations.secrets import open_secret

Pairs = tuple[tuple[str, str], ...]

USER_AGENT = "Chatflow"


@dataclass(frozen=True, slots=True)
class RealDoor:
    """Makes calls by the sealed connections, and finds the material of keys (protocols.Door). `entity_id` is whose calls."""

    entity_id: int | None = None

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        """Make the call. Raises NodeError where no answer came; no message of its holds a secret."""
        connection = definitions.get("connection", {}).get(call.connection)
        if connection is None:
            raise NodeError(f"There is no connection called {call.connection!r}.", code="unknown_connection")
        if connection["pretend"]:
            return PretendDoor().call(call, definitions)
        login = _login(call.connection, connection)
        give_back()
        response = send(_request(call, connection["address"], login, self._scope(call, login)))
        return _answer(response, mask_of(login.secrets))

    @sensitive_variables()
    def _scope(self, call: Call, login: Login) -> str:
        """Whose call it is: other entities, connections and logins share no connection with it. Not known: it shares none."""
        if self.entity_id is None:
            return ""
        digest = sha256(repr((login.headers, login.query)).encode()).hexdigest()
        return f"{self.entity_id}:{call.connection}:{digest}"

    def key(self, definition: dict[str, Any]) -> bytes:
        """Material of a key: a public key as it was approved, any other as it is now in the environment of the content."""
        if definition.get("pretend"):
            return PretendDoor().key(definition)
        if definition["kind"] == KeyKind.RSA_PUBLIC:
            return str(definition["public_key"]).encode()
        key = Key.objects.filter(pk=definition["key"], kind=definition["kind"]).first()
        if key is None:
            raise NodeError("The key of this version is no longer there.", code="no_key", hint="Choose another key.")
        environment = definition.get("environment", Environment.PRODUCTION)
        material = open_material(key, environment)
        return b64decode(material) if key.kind == KeyKind.AES_256 else material.encode()


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """What logs in: headers, query parameters, and the texts that an answer may not echo."""

    headers: Pairs = ()
    query: Pairs = ()
    secrets: tuple[str, ...] = ()


@sensitive_variables()
def _request(call: Call, address: str, login: Login, scope: str) -> OutboundRequest:
    """The call as it goes out. What logs in stands above what the endpoint says, and that above our defaults."""
    body, content_type = _body(call)
    ours: Pairs = (("User-Agent", USER_AGENT),)
    if content_type:
        ours += (("Content-Type", content_type),)
    if call.method not in SAFE_METHODS:
        ours += (("Idempotency-Key", call.key),)
    headers = _without(ours, call.headers) + _without(call.headers, login.headers) + login.headers
    url = build_url(address, call.path, _without(call.query, login.query) + login.query)
    return OutboundRequest(
        call.method, url, headers, body, call.timeout_seconds, scope=scope, repeatable=call.repeat != "never"
    )


@sensitive_variables()
def _login(name: str, connection: dict[str, Any]) -> Login:
    kind = connection["auth"]["kind"]
    if kind == Auth.NONE:
        return Login()
    secret = _secret(name, connection)
    if kind == Auth.BEARER:
        return Login(headers=(("Authorization", f"Bearer {secret}"),), secrets=(secret,))
    if kind == Auth.BASIC:
        encoded = b64encode(secret.encode()).decode()
        password = secret.partition(":")[2]
        return Login(headers=(("Authorization", f"Basic {encoded}"),), secrets=(secret, encoded, password))
    pair = ((connection["auth"]["name"], secret),)
    if kind == Auth.API_KEY_QUERY:
        return Login(query=pair, secrets=(secret,))
    return Login(headers=pair, secrets=(secret,))


@sensitive_variables()
def _secret(name: str, connection: dict[str, Any]) -> str:
    """The secret of the sealed address, as it is now. It goes to no other host."""
    reference = connection["secret"]
    if host_of(connection["address"]) != reference["host"]:
        raise NodeError(
            f"The secret of {name} belongs to another host than the address.",
            code="secret_elsewhere",
            hint="Give the connection a secret for its address, and submit again.",
        )
    row = Secret.objects.filter(
        connection=reference["connection"], environment=reference["environment"], host=reference["host"]
    ).first()
    if row is None:
        raise NodeError(
            f"The connection {name} has no {reference['environment']} secret for {reference['host']}.",
            code="no_secret",
            hint="An integrator can give it; nothing has to be deployed again.",
        )
    return open_secret(row.sealed, place_of(row))


def _body(call: Call) -> tuple[bytes | None, str]:
    """What goes out as the body, and its content type."""
    if call.body_type in ("", "none"):
        return None, ""
    if call.body_type == "json":
        return json_body(call.body)
    if call.body_type == "text":
        return text_body(to_text(call.body))
    if not isinstance(call.body, dict):
        raise CallNotBuilt("The body of a form isn't an object.", hint="Give names and values.")
    return form_body(_form_pairs(call.body))


def _form_pairs(form: dict[str, JSON]) -> Iterable[tuple[str, str]]:
    """A list gives its name several times."""
    for name, value in form.items():
        for item in value if isinstance(value, list) else [value]:
            yield name, to_text(item)


def _without(pairs: Pairs, others: Pairs) -> Pairs:
    """`pairs` but those whose name `others` has too, in whatever case."""
    taken = {name.lower() for name, _ in others}
    return tuple(pair for pair in pairs if pair[0].lower() not in taken)


def _answer(response: OutboundResponse, mask: Mask) -> Answer:
    headers = {mask.text(name): mask.text(response.header(name)) for name, _ in response.headers}
    reading = read(response)
    return Answer(response.status, headers, mask.value(reading.data), note=_note(reading.note, response, mask))


def _note(note: str, response: OutboundResponse, mask: Mask) -> str:
    """The note, without what it may quote of a secret: it cuts what it quotes, so that not even a part is recognised."""
    if note and (mask.is_in(response.body) or mask.is_in(response.header("content-type").encode())):
        return "The answer can't be read as what it says it is, and it repeats a secret that was sent."
    return mask.message(note)
