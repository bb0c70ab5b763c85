"""Every behaviour of the simulated carrier, called by the user agent over UDP."""

import dataclasses

import pytest
from tests.wire.simulation import simulation

from dialer.simulator.behaviours import expected
from dialer.ua.call import Answered, HungUpBy, InviteSent, LocalCause, Progress


async def test_an_answered_call_that_the_far_end_hangs_up():
    async with simulation() as s:
        result, events = await s.call("+15552001100")
        record = s.record(result)
    assert (result.code, result.phrase, result.local_cause) == (200, "OK", None)
    assert (result.rang, result.answered, result.hung_up_by) == (True, True, HungUpBy.THEM)
    assert [type(event) for event in events] == [InviteSent, Progress, Progress, Answered]
    assert [p.code for p in result.provisionals] == [100, 180]
    assert [e.rings for e in events if isinstance(e, Progress)] == [False, True]
    times = (
        result.sent_at,
        result.first_provisional_at,
        result.ringing_at,
        result.answered_at,
        result.ended_at,
    )
    assert sorted(times) == list(times)
    assert 0.05 < result.talk_seconds < 1
    assert result.rtp_packets_sent > 0
    assert result.rtp_packets_received > 0
    assert record.rtp_packets_received > 0
    assert (record.invites, record.acks, record.byes_sent) == (1, 1, 1)


async def test_an_answered_call_that_we_hang_up():
    async with simulation() as s:
        prepared = await s.agent.prepare(s.request("+15552000000"))
        calls = []

        def hang_up_when_answered(event):
            if isinstance(event, Answered):
                assert event.dialog.call_id == prepared.identity.call_id
                calls[0].hang_up()
                calls[0].hang_up()

        calls.append(s.agent.place(prepared, hang_up_when_answered))
        result = await calls[0].result
        record = s.record(result)
        assert not s.ledger.live_dialogs()
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)
    assert (record.byes_received, record.byes_sent) == (1, 0)


async def test_the_maximum_talk_time_ends_a_call():
    async with simulation() as s:
        result, _ = await s.call("+15552000000", max_talk=0.05)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)
    assert 0.05 <= result.talk_seconds < 0.5


@pytest.mark.parametrize("code", [302, 401, 404, 422, 477, 486, 503, 580, 603, 699])
async def test_a_final_code(code):
    async with simulation() as s:
        result, events = await s.call(f"+1555{code}0000")
        record = s.record(result)
    assert (result.code, result.answered, result.rang) == (code, False, False)
    assert result.q850_cause is None
    assert not any(isinstance(event, Answered) for event in events)
    assert record.finals[-1] == code
    assert record.acks == record.invites


async def test_ringing_and_the_cause_are_kept():
    async with simulation() as s:
        result, _ = await s.call("+15554801019")
    assert (result.code, result.rang, result.q850_cause) == (480, True, 19)
    assert result.reasons == ("Q.850;cause=19",)
    assert result.ringing_at is not None


async def test_ringing_for_ever_ends_with_our_cancel():
    async with simulation() as s:
        result, _ = await s.call("+15551800000")
        record = s.record(result)
    assert (result.code, result.local_cause) == (487, LocalCause.RING_TIMEOUT)
    assert (result.rang, result.answered) == (True, False)
    assert (record.cancels, record.acks, record.live) == (1, 1, set())


async def test_only_100_is_no_ringing():
    async with simulation() as s:
        result, _ = await s.call("+15551000000")
    assert (result.code, result.local_cause) == (487, LocalCause.RING_TIMEOUT)
    assert (result.rang, [p.code for p in result.provisionals]) == (False, [100])


async def test_silence_ends_with_timer_b_and_without_cancel():
    async with simulation() as s:
        result, events = await s.call("+15550000000")
        record = s.record(result)
    assert (result.code, result.local_cause) == (None, LocalCause.TIMER_B)
    assert (result.provisionals, result.first_provisional_at) == ((), None)
    assert [type(event) for event in events] == [InviteSent]
    assert (record.invites, record.retransmissions, record.cancels) == (1, 6, 0)


async def test_early_media_then_a_failure():
    async with simulation() as s:
        result, _ = await s.call("+15551831486")
    assert (result.code, result.rang, result.answered) == (486, False, False)
    assert [p.code for p in result.provisionals] == [100, 183]
    assert result.rtp_packets_received > 0


async def test_early_media_then_an_answer():
    async with simulation() as s:
        result, _ = await s.call("+15551831200", max_talk=0.1)
    assert (result.code, result.answered, result.rang) == (200, True, False)


async def test_retry_after():
    async with simulation() as s:
        result, _ = await s.call("+15557040120")
    assert (result.code, result.retry_after) == (503, 120)


async def test_a_200_that_crosses_our_cancel():
    async with simulation() as s:
        result, events = await s.call("+15557010000")
        record = s.record(result)
    assert (result.code, result.local_cause) == (200, LocalCause.ANSWERED_LATE)
    assert (result.answered, result.answered_late, result.rang) == (False, True, True)
    assert not any(isinstance(event, Answered) for event in events)
    assert (record.cancels, record.acks, record.byes_received) == (1, 1, 1)


async def test_an_answer_without_sdp_is_no_media():
    async with simulation() as s:
        result, events = await s.call("+15557020000")
        record = s.record(result)
    assert (result.code, result.local_cause) == (200, LocalCause.NO_MEDIA)
    assert (result.answered, result.hung_up_by) == (False, HungUpBy.US)
    assert not any(isinstance(event, Answered) for event in events)
    assert (record.acks, record.byes_received) == (1, 1)


async def test_two_forks_answer_and_one_is_hung_up():
    async with simulation() as s:
        result, events = await s.call("+15557030000", max_talk=0.1)
        record = s.record(result)
    assert (result.answered, result.extra_forks, result.hung_up_by) == (True, 1, HungUpBy.US)
    assert sum(isinstance(event, Answered) for event in events) == 1
    assert (len(record.answered_tags), record.acks, record.byes_received) == (2, 2, 2)


async def test_a_cancel_that_no_final_response_follows():
    async with simulation() as s:
        result, _ = await s.call("+15557050000")
    assert (result.code, result.local_cause) == (None, LocalCause.RING_TIMEOUT)
    assert result.rang


@pytest.mark.parametrize(
    ("number", "challenge"), [("+15557110000", 407), ("+15557120000", 401)], ids=["MD5", "SHA-256"]
)
async def test_a_challenge_is_answered(number, challenge):
    async with simulation() as s:
        result, events = await s.call(number, max_talk=0.05)
        record = s.record(result)
    assert (result.code, result.answered, result.local_cause) == (200, True, None)
    sent = [event.identity for event in events if isinstance(event, InviteSent)]
    assert [identity.cseq for identity in sent] == [1, 2]
    assert sent[0].via != sent[1].via
    assert (record.finals, record.invites) == ([challenge, 200], 2)


async def test_a_challenge_without_end():
    async with simulation() as s:
        result, _ = await s.call("+15557130000")
        record = s.record(result)
    assert (result.code, result.local_cause) == (407, LocalCause.AUTHENTICATION)
    assert record.invites == 2


async def test_a_challenge_without_credentials_or_with_wrong_ones():
    async with simulation() as s:
        bare = dataclasses.replace(s.trunk, username=None)
        wrong = dataclasses.replace(s.trunk, password="guess")
        no_md5 = dataclasses.replace(s.trunk, md5_allowed=False)
        for trunk, invites in ((bare, 1), (wrong, 2), (no_md5, 1)):
            result, _ = await s.call("+15557110000", trunk=trunk)
            assert (result.code, result.local_cause) == (407, LocalCause.AUTHENTICATION)
            assert s.record(result).invites == invites


async def test_a_bye_with_a_reason():
    async with simulation() as s:
        result, _ = await s.call("+15557301017")
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)
    assert result.reasons == ("Q.850;cause=17",)
    assert result.q850_cause is None  # it came after the final response


async def test_a_number_elsewhere_is_not_allocated():
    async with simulation() as s:
        result, _ = await s.call("100")
    assert (result.code, result.q850_cause) == (404, 1)


async def test_the_table_says_what_the_ledger_sees():
    numbers = [
        "+15551800001",
        "+15551831486",
        "+15552000101",
        "+15552001101",
        "+15554861017",
        "+15556030021",
        "+15557010001",
        "+15557110001",
        "+15557130001",
        "+15557301016",
    ]
    async with simulation(second=0.02) as s:
        for number in numbers:
            result, _ = await s.call(number, ring_timeout=0.1, max_talk=0.2)
            assert s.record(result).facts == expected(number, ring_timeout=5), number
