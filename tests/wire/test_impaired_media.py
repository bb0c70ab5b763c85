"""Whole calls over a relay that spoils their packets: the record says what was done to them."""

import asyncio

import pytest
from tests.driven_clock import DrivenClock
from tests.wire.bots import FarEnd
from tests.wire.impairment import Relay, Way, jitter_of
from tests.wire.simulation import TIMERS

from dialer.rtp import quality
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.sip.sdp import Negotiated
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, HungUpBy, Trunk
from dialer.ua.media import MediaPlane


class RelayedMedia:
    """The carrier's media for one call, behind a relay."""

    def __init__(self, clock, relay):
        self._clock = clock
        self.relay = relay

    async def start(self, host):
        self._plane = MediaPlane(self._clock, host, (36000, 38999))
        self.far_end = FarEnd(self._plane.open())
        self.port = self.relay.near.port

    def talk(self, _call_id, caller, codec, payload_type, _says):
        self.relay.between(caller[1], self.far_end.stream.local_port)
        self.far_end.stream.connect(
            Negotiated("127.0.0.1", self.relay.far.port, codec, payload_type)
        )

    def forget(self, _caller):
        """The stream stays until the end of the test."""

    def close(self):
        self._plane.close()
        self.relay.close()


async def call_over(clock, relay, seconds):
    """Call for so long, hang up, and return the result."""
    carrier = Carrier(CarrierSettings(**TIMERS), clock)
    carrier.media = RelayedMedia(clock, relay)
    await carrier.start()
    settings = UserAgentSettings("127.0.0.1", rtp_ports=(20000, 32999), **TIMERS)
    agent = UserAgent(settings, clock)
    await agent.start()
    trunk = Trunk("simulator", "127.0.0.1", port=carrier.address.port)
    preparing = asyncio.create_task(
        agent.prepare(CallRequest(trunk, "+15552000000", "+15550001111"))
    )
    while not preparing.done():  # the name is looked up by tasks of its own
        await clock.elapse(0)
    call = agent.place(await preparing, lambda _event: None)
    try:
        await clock.elapse(seconds)
        call.hang_up()
        await clock.elapse(1)
        return await call.result
    finally:
        closing = asyncio.gather(agent.close(), carrier.close())
        while not closing.done():
            await clock.elapse(0.1)


@pytest.fixture
def clock():
    return DrivenClock()


@pytest.mark.parametrize("seed", [1, 2])
async def test_loss_duplicates_and_reordering_are_counted_exactly_both_ways(clock, figure, seed):
    wrongs = {"loss": 0.05, "twice": 0.03, "swapped": 0.04, "delay": 0.002}
    inward, outward = Way(clock, seed, **wrongs), Way(clock, seed + 100, **wrongs)
    relay = Relay(clock, inward=inward, outward=outward)
    told = []
    relay.report_passed_inward = lambda: told.append(outward.did["lost"])
    media = (await call_over(clock, relay, 30.0)).media
    counted = (media.lost, media.duplicates, media.reordered)
    done = tuple(inward.did[name] for name in ("lost", "twice", "swapped"))
    figure(
        f"lost, doubled, out of order (seed {seed})",
        f"recorded {', '.join(map(str, counted))}; injected {', '.join(map(str, done))}",
        "the same",
    )
    assert media.sent == outward.seen
    assert media.lost == inward.did["lost"] > 20
    assert media.duplicates == inward.did["twice"] > 10
    assert media.reordered == inward.did["swapped"] > 10
    assert media.received == sum(at <= 30.0 for at, _ in inward.arrivals)
    assert (media.dropped, media.unsent, media.streams) == (0, 0, 1)
    assert media.loss_percent == pytest.approx(
        100 * media.lost / (media.received + media.lost - media.duplicates), abs=0.01
    )
    # a report counts what came, duplicates too: RFC 3550 §6.4.1; the last one is what is known
    assert len(told) >= 4
    assert media.far_end_lost is not None
    assert 0 < media.far_end_lost <= told[-1]
    assert 1 < media.mos < quality.estimate(0, 0, 0, 0.02)


async def test_loss_alone_is_told_by_the_far_end_exactly(clock, figure):
    inward, outward = Way(clock, 7), Way(clock, 7, loss=0.1)
    relay = Relay(clock, inward=inward, outward=outward, report_delay=0.04)
    told = []
    relay.report_passed_inward = lambda: (
        clock.monotonic() < 29.96 and told.append((outward.did["lost"], outward.seen))
    )
    media = (await call_over(clock, relay, 30.0)).media
    lost, sent = told[-1]
    figure(
        "lost on our way, as RTCP tells",
        f"recorded {media.far_end_lost}; injected {lost}",
        "the same",
    )
    assert media.far_end_lost == lost > 50
    assert media.far_end_loss_percent == pytest.approx(100 * lost / sent, abs=0.05)
    assert media.round_trip_ms == pytest.approx(80, abs=1)
    assert (media.lost, media.duplicates, media.reordered) == (0, 0, 0)
    assert media.far_end_mos < media.mos


@pytest.mark.parametrize("delay", [0.005, 0.015, 0.06])
async def test_jitter_is_that_of_an_independent_computation(clock, figure, delay):
    inward, outward = Way(clock, 3, delay=delay, impaired=10_000), Way(clock, 4)
    relay = Relay(clock, inward=inward, outward=outward)
    media = (await call_over(clock, relay, 20.0)).media
    mean, most = jitter_of([one for one in inward.arrivals if one[0] <= 20.0])
    figure(
        f"jitter of delays up to {delay * 1000:g} ms",
        f"recorded {media.jitter_ms:.2f} ms; computed {mean:.2f} ms",
        "within 3 %",
    )
    assert media.jitter_ms == pytest.approx(mean, rel=0.03, abs=0.1)
    assert media.jitter_most_ms == pytest.approx(most, rel=0.03, abs=0.1)
    assert mean > 1
    assert media.lost == 0


async def test_a_clean_call_has_nothing_to_tell(clock):
    relay = Relay(clock, inward=Way(clock, 1), outward=Way(clock, 2))
    media = (await call_over(clock, relay, 20.0)).media
    assert (media.lost, media.duplicates, media.reordered, media.dropped) == (0, 0, 0, 0)
    assert (media.far_end_lost, media.far_end_jitter_ms) == (0, 0)
    assert media.longest_gap_ms <= 40
    assert media.mos == pytest.approx(4.40, abs=0.02)
    assert media.far_end_mos == pytest.approx(4.40, abs=0.02)


async def test_a_call_whose_packets_stop_is_hung_up_and_says_so(clock):
    inward = Way(clock, 1, loss=1.0, impaired=10**9)
    relay = Relay(clock, inward=inward, outward=Way(clock, 2))
    result = await call_over(clock, relay, 90.0)
    assert (result.answered, result.hung_up_by, result.rtp_timeout) == (True, HungUpBy.US, 60.0)
    assert result.talk_seconds == pytest.approx(60, abs=1)
    assert result.media.received == 10
    assert result.media.longest_gap_ms == pytest.approx(60_000, abs=20)
