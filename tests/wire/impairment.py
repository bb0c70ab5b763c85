"""A relay between two streams that loses, repeats, reorders and delays packets as a seed says."""

from __future__ import annotations

import asyncio
import collections
import itertools
import random

from dialer.rtp.packet import parse
from dialer.ua.media_ports import RtpPorts


class Way:
    """One direction of RTP: what is done to its packets, and what became of them.

    The first `sound` packets pass untouched, and so do those after `impaired` more.
    """

    def __init__(self, clock, seed, *, loss=0.0, twice=0.0, swapped=0.0, delay=0.0, impaired=1000):
        self._clock = clock
        self._random = random.Random(seed)
        self._shares = (loss, twice, swapped)
        self._delay = delay
        self._first, self._last = 10, 10 + impaired
        self._held = None
        self._due = 0.0
        self.seen = 0
        self.did = collections.Counter()
        self.arrivals = []  # (seconds, timestamp) of what was passed on
        self.passed_on = lambda _data: None

    def take(self, data):
        self.seen += 1
        if not self._first < self.seen <= self._last:
            self._pass(data)
            return
        if self._held is not None:
            self._pass(data)
            self._pass(self._held)
            self._held = None
            return
        loss, twice, swapped = self._shares
        chance = self._random.random()
        if chance < loss:
            self.did["lost"] += 1
        elif chance < loss + twice:
            self.did["twice"] += 1
            self._pass(data)
            self._pass(data)
        elif chance < loss + twice + swapped and self.seen < self._last:
            self.did["swapped"] += 1
            self._held = data
        else:
            self._pass(data)

    def _pass(self, data):
        """Pass on after a while, and never before what went before."""
        now = self._clock.monotonic()
        self._due = max(self._due, now + self._random.uniform(0, self._delay))
        self._clock.call_at(self._due, lambda: self._arrive(data))

    def _arrive(self, data):
        packet = parse(data)
        self.arrivals.append((self._clock.monotonic(), packet.timestamp))
        self.passed_on(data)


def jitter_of(arrivals, rate=8000):
    """The mean and the peak of the interarrival jitter in ms, by the book (RFC 3550 §6.4.1)."""
    jitter, found = 0.0, []
    for (before, sent_before), (at, sent) in itertools.pairwise(arrivals):
        transit = (at - before) - ((sent - sent_before) & 0xFFFFFFFF) / rate
        jitter += (abs(transit) - jitter) / 16
        found.append(1000 * jitter)
    return sum(found) / len(found), max(found)


class Relay:
    """Two pairs of ports: what comes to one leaves by the other. Reports take `report_delay`.

    What others send to the ports, as a test beside this one may by chance, is left out.
    """

    def __init__(self, clock, *, inward, outward, report_delay=0.0):
        self._clock = clock
        self._report_delay = report_delay
        self._loop = asyncio.get_running_loop()
        ports = RtpPorts("127.0.0.1", (33000, 35999), start=random.randrange(1500))
        self.near, self.far = ports.bind(), ports.bind()
        self.inward, self.outward = inward, outward  # towards us, and away from us
        self.report_passed_inward = lambda: None
        self._us = self._them = 0  # their RTP ports
        sides = ((self.near, self.outward, self.far), (self.far, self.inward, self.near))
        for side, way, other in sides:
            way.passed_on = lambda data, other=other: self._send(other.rtp, data)
            self._loop.add_reader(side.rtp, self._read, side.rtp, way.take)
            self._loop.add_reader(side.rtcp, self._read, side.rtcp, self._reporting(other))

    def between(self, us, them):
        """Say which RTP ports are relayed."""
        self._us, self._them = us, them

    def _read(self, sock, take):
        data, source = sock.recvfrom(2048)
        if source[1] == self._partner(sock):
            take(data)

    def _reporting(self, other):
        def take(data):
            if other is self.near:
                self.report_passed_inward()
            at = self._clock.monotonic() + self._report_delay
            self._clock.call_at(at, lambda: self._send(other.rtcp, data))

        return take

    def _partner(self, sock):
        """The port that a socket of ours speaks with."""
        rtp = self._us if sock in self.near else self._them
        return rtp + (sock in (self.near.rtcp, self.far.rtcp))

    def _send(self, sock, data):
        if sock.fileno() >= 0:
            sock.sendto(data, ("127.0.0.1", self._partner(sock)))

    def close(self):
        for sock in (self.near.rtp, self.near.rtcp, self.far.rtp, self.far.rtcp):
            self._loop.remove_reader(sock)
            sock.close()
