import asyncio
import socket

import pytest
import uvloop

from dialer.sip.identity import HostPort
from dialer.ua.transport import UdpTransport, bind, local_address_towards


class Listener:
    def __init__(self, host="127.0.0.1"):
        self.datagrams = asyncio.Queue()
        self.failures = asyncio.Queue()
        self.udp = UdpTransport(
            bind(host, 0),
            lambda data, source: self.datagrams.put_nowait((data, source)),
            self.failures.put_nowait,
        )

    async def __aenter__(self):
        await self.udp.start()
        return self

    async def __aexit__(self, *_):
        await self.udp.close()


def closed_port(host):
    with bind(host, 0) as unused:
        return HostPort(host, unused.getsockname()[1])


async def exchange(host):
    async with Listener(host) as one, Listener(host) as two:
        one.udp.send(b"ping", two.udp.local)
        assert await two.datagrams.get() == (b"ping", one.udp.local)
        two.udp.send(b"x" * 8000, one.udp.local)
        assert await one.datagrams.get() == (b"x" * 8000, two.udp.local)


async def refusal(host):
    async with Listener(host) as one, Listener(host) as two:
        nobody = closed_port(host)
        one.udp.send(b"anybody?", nobody)
        assert await one.failures.get() == nobody
        # an error that is still queued must not swallow the next datagram
        one.udp.send(b"anybody?", nobody)
        one.udp.send(b"ping", two.udp.local)
        assert await two.datagrams.get() == (b"ping", one.udp.local)
        assert await one.failures.get() == nobody
        assert one.failures.empty()


async def refusal_again():
    """Send to another closed port when one is reported, as a call does that has a next target."""
    async with Listener() as one:
        places = [closed_port("127.0.0.1") for _ in range(5)]
        told = []

        def next_place(failed):
            told.append(failed)
            if len(told) < len(places):
                one.udp.send(b"anybody?", places[len(told)])
            else:
                one.failures.put_nowait(failed)

        one.udp._on_failure = next_place
        one.udp.send(b"anybody?", places[0])
        assert await asyncio.wait_for(one.failures.get(), 10) == places[-1]
        assert told == places


async def no_route():
    async with Listener() as one:
        nowhere = HostPort("255.255.255.255", 9)  # broadcast is not allowed on this socket
        one.udp.send(b"anybody?", nowhere)
        assert await one.failures.get() == nowhere


async def closed():
    async with Listener() as one:
        pass
    one.udp.send(b"too late", HostPort("127.0.0.1", 9))
    await one.udp.close()
    assert one.failures.empty()


LOOPS = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


@LOOPS
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_pass(loop, host):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(exchange(host))


@LOOPS
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_port_is_reported_with_its_address(loop, host):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(refusal(host))


@LOOPS
def test_one_who_sends_elsewhere_at_once_is_told_of_a_closed_port_there_too(loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(refusal_again())


@LOOPS
def test_what_the_kernel_refuses_is_reported(loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(no_route())


@LOOPS
def test_a_closed_socket_sends_nothing_and_says_nothing(loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(closed())


def test_a_port_in_use_is_named():
    with (
        bind("127.0.0.1", 0) as taken,
        pytest.raises(OSError, match=r"cannot listen on udp 127.0.0.1 port \d+: Address already"),
    ):
        bind("127.0.0.1", taken.getsockname()[1])


def test_an_address_that_is_not_ours_is_named():
    with pytest.raises(OSError, match=r"cannot listen on udp 192.0.2.1 port 5060: "):
        bind("192.0.2.1", 5060)


def test_sockets_hold_bursts():
    with bind("127.0.0.1", 0) as opened:
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 100_000


def test_the_local_address_towards_loopback():
    assert local_address_towards(HostPort("127.0.0.1", 5060)) == "127.0.0.1"
    assert local_address_towards(HostPort("::1", 5060)) == "::1"
