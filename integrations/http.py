"""The one door out: every call of Chatflow to the outside leaves through `send`.

Nothing else imports requests, urllib3 or socket, so what holds here holds for all: vetted addresses (`addresses`,
`sockets`), a turn at the host (`turns`), a deadline for the whole call, bounded answers that are read strictly (`framing`,
`unpacking`), no redirects, no proxies of the environment, nothing kept from one call to the next but connections, and
these only where that is safe (`kept`).
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Iterator

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from integrations import framing, transport
from integrations.building import check_header, check_url
from integrations.outbound import (
    LIMITS,
    MAX_BODY_BYTES,
    MAX_TIMEOUT_SECONDS,
    CallFailed,
    CallNotBuilt,
    Limits,
    OutboundRequest,
    OutboundResponse,
)
from integrations.sockets import Attempt, current
from integrations.turns import turn
from integrations.unpacking import ENCODINGS, PIECE_BYTES, BadPacking, Unpacking

__all__ = ["LIMITS", "CallFailed", "CallNotBuilt", "Limits", "OutboundRequest", "OutboundResponse", "send"]

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_HEADERS = {"Accept": "application/json, */*;q=0.8", "User-Agent": "Chatflow"}

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def send(request: OutboundRequest, *, limits: Limits = LIMITS) -> OutboundResponse:
    """Make the call and read its answer, whatever its status.

    Raises CallNotBuilt for a call that can't be made, CallFailed where no answer came that can be used.
    """
    prepared = _prepare(request)
    target = check_url(request.url)
    host = (target.hostname or "").rstrip(".")
    started = time.monotonic()
    deadline = started + min(request.timeout_seconds, MAX_TIMEOUT_SECONDS)
    attempt = Attempt(host, deadline, limits, request.scope, request.may_share)
    with turn(attempt, f"{host}:{target.port or target.scheme}", request.scope):
        try:
            status, headers, body = _exchange(prepared, attempt)
        except CallFailed as failed:
            if not _found_it_closed(attempt, failed):
                raise
            fresh = Attempt(host, deadline, limits, request.scope, sent=True)
            status, headers, body = _exchange(prepared, fresh)
    return OutboundResponse(status, headers, body, time.monotonic() - started)


def _found_it_closed(attempt: Attempt, failed: CallFailed) -> bool:
    """Whether a kept connection was closed by the other end, as it may be at any moment. Only what may be repeated had one."""
    return attempt.reused and not attempt.heard and not failed.timed_out


def _prepare(request: OutboundRequest) -> requests.PreparedRequest:
    """The request as it goes out. requests' own preparing is left out: it would read and rewrite the URL once more."""
    if request.method not in METHODS:
        raise CallNotBuilt(
            f"{request.method!r} isn't a method of a call.", hint=f"Use one of {', '.join(sorted(METHODS))}."
        )
    if request.body is not None and len(request.body) > MAX_BODY_BYTES:
        raise CallNotBuilt("The body of the call is larger than 1 MiB.", hint="Send less data.")
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    prepared.body = request.body
    prepared.headers = _headers(request)
    return prepared


def _headers(request: OutboundRequest) -> CaseInsensitiveDict[str]:
    """Those of the request, repeated ones joined, and ours."""
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in request.headers:
        check_header(name, value)
        text = value.strip(" ")  # and nothing else: a no-break space belongs to the value
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    for name, value in DEFAULT_HEADERS.items():
        headers.setdefault(name, value)
    headers["Accept-Encoding"] = "gzip, deflate"
    if not request.may_share:
        headers["Connection"] = "close"
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    elif request.method in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = "0"
    return headers


def _exchange(prepared: requests.PreparedRequest, attempt: Attempt) -> tuple[int, list[tuple[str, str]], bytes]:
    token = current.set(attempt)
    raw: urllib3.HTTPResponse | None = None
    try:
        raw = transport.adapter().send(prepared, stream=True, timeout=attempt.left_seconds()).raw
        attempt.in_head = False
        head = framing.read_head(attempt.heard)
        headers, body = _check_head(raw, head, attempt), _read_body(raw, attempt)
        reusable = framing.is_reusable(prepared.method or "", head, attempt.heard)
        transport.settle(attempt, reusable=reusable)
        return raw.status, headers, body
    except (framing.Unframed, BadPacking) as error:
        failure = attempt.failed("bad_answer", f"{attempt.host} didn't give a complete HTTP answer: {error}.")
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        failure = _explained(error, attempt)
    finally:
        if raw is not None:
            raw.close()
        transport.settle(attempt, reusable=False)
        current.reset(token)
    raise failure  # here, so that the library's error, which quotes the URL and with it a key, isn't chained


def _check_head(raw: urllib3.HTTPResponse, head: framing.Head, attempt: Attempt) -> list[tuple[str, str]]:
    """The headers, as text that can be stored. Raises CallFailed for an answer that isn't a final one we can read."""
    if not 200 <= raw.status <= 599:
        raise attempt.failed(
            "bad_answer", f"{attempt.host} answered with the status {raw.status}, which has no meaning here."
        )
    if attempt.cut_short and raw.status < 400:  # a refusal may come early
        raise framing.Unframed("it came before the whole request was read")
    if raw.status != head.status or len(list(raw.headers.items())) != len(head.headers):
        raise framing.Unframed("its head can be read in two ways")
    if _encoding(raw) not in ENCODINGS:
        raise attempt.failed("bad_answer", f"{attempt.host} answered in an encoding that we didn't ask for.")
    return [(name.lower(), _CONTROL.sub("\ufffd", value)) for name, value in raw.headers.items()]


def _encoding(raw: urllib3.HTTPResponse) -> str:
    return raw.headers.get("content-encoding", "").strip().lower()


def _read_body(raw: urllib3.HTTPResponse, attempt: Attempt) -> bytes:
    """The unpacked body, piece by piece, so that neither a large nor a well-packed one fills the memory."""
    body = bytearray()
    unpacking = Unpacking(_encoding(raw))
    while piece := raw.read(PIECE_BYTES, decode_content=False):
        for part in unpacking.parts(piece):
            body += part
            if len(body) > attempt.limits.body_bytes:
                raise attempt.failed(
                    "answer_too_large", f"The answer of {attempt.host} is too large.", "Ask for less data."
                )
    unpacking.finish()
    return bytes(body)


def _explained(error: Exception, attempt: Attempt) -> CallFailed:
    """What a library's error means."""
    causes = list(_causes(error))
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return attempt.out_of_time()
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or (cause.reason or "no agreement").replace("_", " ").lower()
            hint = "Its certificate must be valid for this host name and issued by an authority that is trusted."
            return attempt.failed("tls_failed", f"No secure connection to {attempt.host}: {reason}.", hint)
        # HTTPException itself, not a subclass, is how "too many headers" is said.
        if isinstance(cause, http.client.LineTooLong) or type(cause) is http.client.HTTPException:
            return attempt.failed("answer_too_large", f"The headers of {attempt.host} are too large.")
    if attempt.sent:
        return attempt.failed(
            "bad_answer", f"{attempt.host} didn't give a complete HTTP answer.", "Ask whoever runs the service."
        )
    return attempt.failed("could_not_connect", f"{attempt.host} closed the connection at once.", "Try again later.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those it was made from, as the libraries wrap them: as cause, as argument or as reason."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
