"""How calls travel: requests' transport over vetted sockets, a new connection for each call.

No connection is used twice. HTTP/1.1 has nothing that says which request an answer belongs to, only the order: what a
target sends after the end of its answer, however late, would be the answer of the next call. Looking whether bytes are
there before a connection is taken again finds only those that are early enough.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from functools import cache
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations import sockets

HOSTS_KNOWN = 50

_making = threading.Lock()

# Its messages quote whole URLs, and the query of a URL may hold a key.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class VettedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return sockets.connect(self.host, self.port)


class VettedTLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return sockets.connect(self.host, self.port)


class VettedPool(HTTPConnectionPool):
    """A pool that stays empty: a connection that comes back is closed."""

    ConnectionCls = VettedConnection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class VettedTLSPool(VettedPool, HTTPSConnectionPool):
    ConnectionCls = VettedTLSConnection  # type: ignore[assignment]


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
