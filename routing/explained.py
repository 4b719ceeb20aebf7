"""Refusals in the words of those who look after a route: what the rule is, and what they can do about it.

What the caller reads stands in `problem.PROBLEMS`, and says less: nobody outside is told why a token was refused.
"""

from __future__ import annotations

from typing import NamedTuple

from routing.problem import PROBLEMS


class Explained(NamedTuple):
    """`why` is the rule that refused, `advice` what can be done; both are sentences."""

    why: str
    advice: str


_PARTNER = "The partner has to correct the call; the partner's page says how."

EXPLAINED: dict[str, Explained] = {
    "route_not_found": Explained("The route is switched off.", "Tick “active” on the route's page to let calls in."),
    "address_refused": Explained(
        "No entry of the allow-list holds the caller's address, or the entry has ended.",
        "If the address is the partner's, add it. If it is a proxy of yours, TRUSTED_PROXIES has to name the proxy.",
    ),
    "method_not_allowed": Explained("The call has another method than the route.", _PARTNER),
    "token_required": Explained(
        "The call has no token.", "The partner has to send it, as “Authorization: Bearer …” or “X-API-Token: …”."
    ),
    "token_refused": Explained(
        "The token isn't whole, or isn't of this route, or was revoked, or has expired.",
        "Look for its beginning among the route's tokens. Where the right one is lost, make another.",
    ),
    "rate_limited": Explained(
        "The route takes no more calls in this minute.", "Raise the calls a minute, or have the partner spread them."
    ),
    "busy": Explained(
        "As many calls are worked on as the route, or the server, takes at once.",
        "Raise the calls at once of the route, speed the flow up, or run more web processes.",
    ),
    "queue_full": Explained("Too many accepted calls wait for the workers.", "See that workers run, or run more."),
    "route_paused": Explained("The route is paused, and the call can't wait.", "Open the route when it may go on."),
    "route_draining": Explained("The route is draining: it takes no new calls.", "Open the route to take calls again."),
    "too_large": Explained("The body is larger than 1 MiB.", _PARTNER),
    "unsupported_media_type": Explained("The Content-Type isn't one that a route reads.", _PARTNER),
    "bad_json": Explained("The body isn't strict JSON.", _PARTNER),
    "bad_form": Explained("The body isn't a form that can be read.", _PARTNER),
    "bad_query": Explained("The query can't be read.", _PARTNER),
    "bad_body": Explained("The body ended before its time.", "The connection broke, or the partner's client is wrong."),
    "length_required": Explained("The body came without its length, and a cut wouldn't show.", _PARTNER),
    "payload_refused": Explained(
        "The payload doesn't meet the schema of the start.", "The caller was told where. Or change the schema."
    ),
    "bad_idempotency_key": Explained("The Idempotency-Key can't be read.", _PARTNER),
    "idempotency_key_reused": Explained("The Idempotency-Key came with another request before.", _PARTNER),
    "request_in_progress": Explained(
        "The first call with this Idempotency-Key is still running.", "Nothing: the partner sends it again later."
    ),
    "run_not_found": Explained("This route has no run with the id that was asked for.", _PARTNER),
    "not_deployed": Explained("No version of the flow is deployed.", "Deploy one."),
    "content_refused": Explained(
        "What is stored of the flow isn't what was approved.", "Look at the deployed version's page, and tell us."
    ),
    "unavailable": Explained("The database was away or overloaded.", "See how the server does: /readyz tells."),
}


def explained(code: str) -> Explained:
    """The rule behind a refusal; of a code that was unknown here, what its caller was told."""
    row = PROBLEMS.get(code)
    fallback = Explained(f"{row.title}.", row.advice) if row else Explained(code, "")
    return EXPLAINED.get(code, fallback)
