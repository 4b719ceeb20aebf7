"""A TCP proxy that does to a connection what networks do: slows, freezes, resets, refuses, cuts, half-closes it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future

PIECE_BYTES = 64 * 1024


class Proxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`upstream`. Faults hold until `heal`; safe to call from any thread."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self._delay_seconds = 0.0
        self._refusing = False
        self._cut_after: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=[ready], name="proxy", daemon=True)
        self._thread.start()
        ready.result()

    # --- Faults ------------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Forward everything again, also what was held back."""
        self._do(self._heal)

    def delay(self, seconds: float) -> None:
        """Each piece comes so much later."""
        self._do(lambda: setattr(self, "_delay_seconds", seconds))

    def freeze(self) -> None:
        """Connections stay, new ones are taken, and nothing comes through."""
        self._do(self._passing.clear)

    def reset(self) -> None:
        """Every connection ends by a reset; new ones work."""
        self._do(self._reset)

    def refuse(self) -> None:
        """Reset what there is, and every new connection at once."""
        self._do(lambda: (setattr(self, "_refusing", True), self._reset()))

    def cut_after(self, count: int) -> None:
        """Each direction of a connection is reset after so many further bytes."""
        self._do(lambda: setattr(self, "_cut_after", count))

    def half_close(self) -> None:
        """Neither side hears more from the other on the present connections, and isn't told by a reset."""
        self._do(lambda: [writer.write_eof() for writer in self._writers if writer.can_write_eof()])

    def close(self) -> None:
        self._do(self._loop.stop)
        self._thread.join()

    # --- How ---------------------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(work)

    def _heal(self) -> None:
        self._delay_seconds, self._refusing, self._cut_after = 0.0, False, None
        self._passing.set()

    def _reset(self) -> None:
        for writer in set(self._writers):
            reset(writer)

    def _run(self, ready: Future[None]) -> None:
        asyncio.set_event_loop(self._loop)
        self._passing = asyncio.Event()
        self._passing.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        ready.set_result(None)
        self._loop.run_forever()
        server.close()
        self._reset()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            reset(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            reset(writer)
            return
        self._writers |= {writer, back}
        with contextlib.suppress(asyncio.CancelledError):  # when the proxy is closed
            await asyncio.gather(self._pump(reader, back, writer), self._pump(there, writer, back))
        self._writers -= {writer, back}

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, other: asyncio.StreamWriter
    ) -> None:
        passed, cut_after = 0, self._cut_after
        with contextlib.suppress(OSError, RuntimeError):
            while data := await source.read(PIECE_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._passing.wait()
                if self._cut_after != cut_after:
                    passed, cut_after = 0, self._cut_after
                if cut_after is not None and passed + len(data) > cut_after:
                    sink.write(data[: cut_after - passed])
                    reset(other)
                    break
                passed += len(data)
                sink.write(data)
                await sink.drain()
        sink.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a machine does that has lost it: RST, whatever is under way."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
