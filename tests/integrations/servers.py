"""Real servers on loopback, well-behaved and hostile. A server plays a script: what to do with each request it gets."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[[bytes], Iterable[bytes | float]]
"""Given the raw request: bytes to send, and seconds to wait. Ends by keeping the connection if `keeps` says so."""


class Server:
    """Accepts connections on a loopback port until it is closed. `requests` has what came in, `connections` how often."""

    def __init__(
        self,
        script: Script,
        *,
        keeps: bool = False,
        family: int = socket.AF_INET,
        tls: ssl.SSLContext | None = None,
        host: str = "",
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._script, self._keeps, self._tls = script, keeps, tls
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._host = host or ("::1" if family == socket.AF_INET6 else "127.0.0.1")
        self._listener = socket.create_server((self._host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str = "/", *, host: str = "", scheme: str = "") -> str:
        """Where it listens; `host` for a name that is made to resolve there."""
        own = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme or ('https' if self._tls else 'http')}://{host or own}:{self.port}{path}"

    def drop_connections(self) -> None:
        """Close every connection that is open, and go on listening."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            while request := read_request(connection):
                self.requests.append(request)
                self._play(connection, request)
                if not self._keeps:
                    break
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            self._open -= {connection, plain}

    def _play(self, connection: socket.socket, request: bytes) -> None:
        for act in self._script(request):
            if self._stopping.is_set():
                return
            if isinstance(act, bytes):
                connection.sendall(act)
            else:
                self._stopping.wait(act)


def read_request(connection: socket.socket) -> bytes:
    """One request, as it is on the wire; empty at the end."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        if not piece:
            return b""
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < lengths[0]:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body


# --- Scripts ------------------------------------------------------------------------------------------------------------


def answer(body: bytes = b"", *, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> Script:
    """An ordinary answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    raw = f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
    return lambda request: [raw]


def echo(request: bytes) -> Iterable[bytes]:
    """The raw request as the body of the answer."""
    return answer(request, headers=[("Content-Type", "message/http")])(request)  # type: ignore[return-value]


def raw(*acts: bytes | float) -> Script:
    """Just these bytes and pauses."""
    return lambda request: acts


def forever(start: bytes, piece: bytes, pause: float = 0.0) -> Script:
    """`start`, and then `piece` again and again."""

    def script(request: bytes) -> Iterator[bytes | float]:
        yield start
        while True:
            yield piece
            if pause:
                yield pause

    return script


def drip(text: bytes, pause: float = 0.02) -> Script:
    """One byte at a time."""

    def script(request: bytes) -> Iterator[bytes | float]:
        for index in range(len(text)):
            yield text[index : index + 1]
            yield pause

    return script


def bomb(mebibytes: int = 64) -> Script:
    """A small body that unpacks to a large one."""
    packed = gzip.compress(bytes(1024 * 1024) * mebibytes)
    return answer(packed, headers=[("Content-Encoding", "gzip")])


# --- TLS ----------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, host: str, *, days: int = 30) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context with a self-signed certificate for `host`, and the file of the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file
