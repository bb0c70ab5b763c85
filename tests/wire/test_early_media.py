"""What the simulated carrier plays before an answer, heard on the way and kept as evidence."""

import asyncio

from tests.wire.simulation import simulation

from dialer.campaign import early_media
from dialer.campaign.outcome_table import OutcomeTable
from dialer.engine import placer
from dialer.ua.call import Answered

FAILURES = {  # number: code, what is heard, flags
    "+15551840480": (480, ["ringback"], ()),
    "+15551841486": (486, ["busy"], ("heard_busy_tone",)),
    "+15551842503": (503, ["congestion"], ("heard_congestion_tone",)),
    "+15551843404": (
        404,
        ["special_information", "speech"],
        ("heard_sit", "heard_announcement"),
    ),
}


def flags(result):
    rule = OutcomeTable.default().rule_for(placer.evidence_of(result))
    return placer.flags_of(rule, result)


async def test_what_the_carrier_played_is_in_the_result_and_changes_no_outcome():
    async with simulation(second=1.0) as s:
        found = await asyncio.gather(
            *(s.agent.call(s.request(number, ring_timeout=20)) for number in FAILURES)
        )
    for result, (code, kinds, marks) in zip(found, FAILURES.values(), strict=True):
        heard = result.early_media
        assert (result.code, [one.kind for one in heard.heard]) == (code, kinds)
        assert flags(result) == marks
        assert 0 <= heard.begin < 1
        assert (heard.streams, heard.others) == (1, 0)
    vacant = found[-1].early_media.heard
    assert vacant[0].special_information == "vacant_code"
    assert vacant[0].end <= vacant[1].begin + 0.1
    told = early_media.sentence(placer.early_media_of(found[-1]))
    assert told.startswith("special information tone (vacant code) at 0.")
    assert ", then speech " in told


async def test_what_comes_after_the_answer_is_no_early_media():
    async with simulation(second=0.25) as s:
        prepared = await s.agent.prepare(s.request("+15551841200", ring_timeout=20, max_talk=0.6))
        at_answer = []

        def note(event):
            if isinstance(event, Answered):
                at_answer.append(call.media.packets_received)
                assert not call.media.listeners

        call = s.agent.place(prepared, note)
        result = await call.result
    assert result.answered
    early = result.early_media
    assert [early.packets + early.comfort_noise + early.others] == at_answer
    assert result.rtp_packets_received > at_answer[0]


async def test_a_call_without_early_media_has_none():
    async with simulation() as s:
        refused, _ = await s.call("+15554861017")
        answered, _ = await s.call("+15552000000", max_talk=0.05)
    assert (refused.early_media, answered.early_media) == (None, None)
    assert flags(refused) == ()
