"""A name server on loopback: answers from a table, or in the ways in which servers fail."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclasses.dataclass
class NameServer(asyncio.DatagramProtocol):
    """`records` maps (name, kind) to texts of record data; a name without any does not exist.

    With `silent` no question is answered, with `failing` each by SERVFAIL, with `short` each over
    UDP is cut so that it is asked again over TCP. `asked` lists (name, kind) as they came.
    """

    records: dict[tuple[str, str], list[str]]
    ttl: int = 300
    silent: bool = False
    failing: bool = False
    short: bool = False
    asked: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    over_tcp: int = 0
    address: tuple[str, int] = ("127.0.0.1", 0)

    def answer(self, data: bytes) -> dns.message.Message:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = str(question.name).rstrip("."), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif texts := self.records.get((name, kind)):
            response.answer.append(
                dns.rrset.from_text_list(question.name, self.ttl, "IN", kind, texts)
            )
        elif name not in {known for known, _ in self.records}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, source):
        response = self.answer(data)
        if self.silent:
            return
        if self.short:
            response.answer.clear()
            response.flags |= dns.flags.TC
        self._transport.sendto(response.to_wire(), source)

    async def serve_tcp(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            size = int.from_bytes(await reader.readexactly(2), "big")
            wire = self.answer(await reader.readexactly(size)).to_wire()
            self.over_tcp += 1
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def name_server(records, **how):
    """Serve `records` on a free port of loopback, over UDP and TCP."""
    server = NameServer({key: list(texts) for key, texts in records.items()}, **how)
    loop = asyncio.get_running_loop()
    while True:
        tcp = await asyncio.start_server(server.serve_tcp, "127.0.0.1", 0)
        server.address = tcp.sockets[0].getsockname()[:2]
        try:
            udp, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=server.address)
        except OSError:  # for UDP the port is somebody else's
            tcp.close()
            await tcp.wait_closed()
        else:
            break
    try:
        yield server
    finally:
        udp.close()
        tcp.close()
        await tcp.wait_closed()
