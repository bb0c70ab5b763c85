"""A way to the database that loses the answer to a chosen statement, once: F4 of a crash test."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit


class Severed:
    """Passes everything on, until `condition(data, sent_before)` holds for what a client sends.

    That still reaches the server; once the server has answered, the connection is closed instead.
    `sent_before` is all that the client has sent on that connection. `done` is set then.
    """

    def __init__(self, url, folder, condition):
        self._real = urlsplit(url)
        self._path = folder / ".s.PGSQL.5432"
        self._condition = condition
        self._open = {}  # the writers of each connection, by the task that serves it
        self.done = asyncio.Event()
        self.url = urlunsplit(
            self._real._replace(
                netloc=self._real.netloc.rpartition("@")[0] + "@",
                query=f"host={quote(str(folder), safe='')}",
            )
        )

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._accepted, self._path)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in [one for both in self._open.values() for one in both]:
            writer.close()
        await asyncio.gather(*self._open)

    async def _accepted(self, reader, writer):
        host = parse_qs(self._real.query).get("host", [None])[0]
        if host is not None:
            far = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.5432")
        else:
            far = await asyncio.open_connection(self._real.hostname, self._real.port or 5432)
        cut = asyncio.Event()
        task = asyncio.current_task()
        self._open[task] = (writer, far[1])
        try:
            await asyncio.gather(
                self._requests(reader, far[1], cut), self._answers(far[0], writer, cut)
            )
        except OSError:
            pass  # whoever of the two is gone
        finally:
            del self._open[task]
            for one in (writer, far[1]):
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async def _requests(self, reader, writer, cut):
        before = b""
        while data := await reader.read(65536):
            if not self.done.is_set() and self._condition(data, before):
                self.done.set()
                cut.set()
            before += data
            writer.write(data)
        writer.close()

    async def _answers(self, reader, writer, cut):
        while data := await reader.read(65536):
            if cut.is_set():
                break
            writer.write(data)
        writer.close()
