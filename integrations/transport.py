"""How calls travel: requests' transport over vetted sockets.

urllib3's pools stay empty. A connection comes from `kept`, if the call may share one, or is new; when its answer has been
read it waits in the attempt until the answer is known to be whole, and is then kept or closed.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from functools import cache
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations import kept, sockets

HOSTS_KNOWN = 50

_making = threading.Lock()

# Its messages quote whole URLs, and the query of a URL may hold a key.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Vetted:
    """What `kept` has to know of a connection."""

    made_at = rests_since = 0.0
    uses = 0
    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        self.made_at = time.monotonic()
        return sockets.connect(self.host, self.port)


class VettedConnection(Vetted, HTTPConnection):
    pass


class VettedTLSConnection(Vetted, HTTPSConnection):
    pass


class VettedPool(HTTPConnectionPool):
    """Keeps nothing itself."""

    ConnectionCls = VettedConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        attempt = sockets.current.get()
        found = kept.take(self._key(attempt)) if attempt.may_share else None
        attempt.reused = found is not None
        return found or self._new_conn()

    def _put_conn(self, conn: Any) -> None:
        """Called when the answer has been read; `conn` is None if it couldn't be."""
        attempt = sockets.current.get()
        if conn is not None:
            attempt.returned = (self._key(attempt), conn)

    def _key(self, attempt: sockets.Attempt) -> kept.Key:
        return kept.Key(attempt.scope, self.scheme or "", self.host, self.port or 0)


class VettedTLSPool(VettedPool, HTTPSConnectionPool):
    ConnectionCls = VettedTLSConnection  # type: ignore[assignment]


def settle(attempt: sockets.Attempt, *, reusable: bool) -> None:
    """Keep the attempt's connection, or close it."""
    if attempt.returned is None:
        return
    key, connection = attempt.returned
    attempt.returned = None
    if reusable and attempt.may_share:
        kept.give(key, connection)
    else:
        connection.close()


class SafeAdapter(HTTPAdapter):
    """requests' transport alone. Without a Session there are no redirects, cookies, netrc or proxies of the environment."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=_tls_context(), **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": VettedPool, "https": VettedTLSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to choose: the TLS context verifies, always."""

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> PoolManager:
        raise ValueError("Calls go out without a proxy.")

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer as urllib3 gives it, its body unread; no cookies are looked for."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        response.request = req
        return response


def _tls_context() -> ssl.SSLContext:
    """Trusts the public authorities, and those that the operator added to the machine's (or to SSL_CERT_FILE)."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # some builds of Python leave it to the system's OpenSSL
    context.load_default_certs()
    context.sslsocket_class = sockets.TLSSocket
    return context


def adapter() -> SafeAdapter:
    """The one of this process."""
    with _making:
        return _adapter()


@cache
def _adapter() -> SafeAdapter:
    return SafeAdapter(HOSTS_KNOWN, 1, max_retries=0)


def forget() -> None:
    """Make a new adapter at the next call, as in a child process: a lock in it may be held by a thread that isn't there.

    The lock here is new for the same reason.
    """
    global _making
    _making = threading.Lock()
    _adapter.cache_clear()


os.register_at_fork(after_in_child=forget)
