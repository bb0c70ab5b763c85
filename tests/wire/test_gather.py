"""A menu on a call whose media is real, and keys as telephones and gateways send them."""

import asyncio

import pytest
from tests.unit.sip.sample_messages import request_bytes
from tests.wire.bots import Happenings
from tests.wire.simulation import TIMERS

from dialer.clock import SystemClock
from dialer.conversation.gather import GatherConversation
from dialer.conversation.keys import Keys
from dialer.conversation.menu import Branch, Menu, Prompt
from dialer.rtp.frames import Frames
from dialer.rtp.telephone_event import DIGITS, TelephoneEvent
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Answered, CallRequest, HungUpBy, Trunk
from dialer.ua.transport import bind

LONG, SHORT = Prompt("long"), Prompt("short")
SOUNDS = {LONG: b"\x10", SHORT: b"\x20"}


async def sound(prompt, codec):
    """A long prompt would play for ten minutes, a short one has a frame."""
    return Frames(codec, SOUNDS[prompt] * 160 * (30_000 if prompt == LONG else 1))


def held(call, **changes):
    branches = changes.pop("branches", {"1": Branch(prompt=SHORT)})
    menu = Menu("main", changes.pop("prompt", LONG), branches, **changes)
    return asyncio.create_task(GatherConversation(call, menu, sound, SystemClock()).hold())


def press(far_end, call, key, timestamp=1000):
    """A key as it is sent: reports while it is held, and the end three times."""
    event = DIGITS.index(key)
    for report in (TelephoneEvent(event, 160), *[TelephoneEvent(event, 320, end=True)] * 3):
        far_end.press(call, bytes(report), timestamp)


async def test_a_key_stops_the_prompt_and_the_branch_is_heard_before_the_end(call, far_end):
    ending = held(call)
    await far_end.until(lambda: SOUNDS[LONG] * 160 in far_end.heard)
    press(far_end, call, "1")
    end = await asyncio.wait_for(ending, 10)
    await far_end.until(lambda: SOUNDS[SHORT] * 160 in far_end.heard)
    assert call.result.result().hung_up_by is HungUpBy.US
    assert (end.report_data, end.cause, end.opted_out) == ({"main": "1"}, None, False)
    assert (end.record["keys_by"], end.record["ended_by"]) == ("telephone-event", "menu")
    assert not call.media.listeners
    assert not call.digit_listeners


async def test_a_key_counts_once_though_its_end_comes_three_times(call, far_end):
    ending = held(call, digits=3, branches={"XXX": Branch()})
    for place, key in enumerate("115"):
        press(far_end, call, key, 1000 + 1000 * place)
    assert (await asyncio.wait_for(ending, 10)).report_data == {"main": "115"}


class Pressed(Happenings):
    """The keys of a call, as they come in."""

    def __init__(self, call):
        super().__init__()
        self.heard = ""
        self.keys = Keys(call, self._note)

    def _note(self, key):
        self.heard += key
        self.changed()


async def test_an_event_that_spans_a_new_answer_is_one_key(call, far_end):
    pressed = Pressed(call)
    far_end.press(call, bytes(TelephoneEvent(5, 160)), 1000)
    await pressed.until(lambda: pressed.heard == "5")
    far_end.connect(call, "PCMA")
    far_end.press(call, bytes(TelephoneEvent(5, 480, end=True)), 1000)
    press(far_end, call, "6", 3000)
    await pressed.until(lambda: len(pressed.heard) > 1)
    assert pressed.heard == "56"


async def test_keys_that_come_both_ways_count_once(call, far_end):
    pressed = Pressed(call)
    for place, key in enumerate("12"):
        for listener in call.digit_listeners:
            listener(key)
        before = call.media.packets_received
        press(far_end, call, key, 1000 + 1000 * place)
        await far_end.until(lambda before=before: call.media.packets_received >= before + 4)
    assert (pressed.heard, pressed.keys.way) == ("12", "info")


async def test_a_person_who_hangs_up_ends_the_menu(call, far_end):
    ending = held(call)
    await far_end.until(lambda: SOUNDS[LONG] * 160 in far_end.heard)
    call.end(HungUpBy.THEM)
    end = await asyncio.wait_for(ending, 10)
    assert (end.report_data, end.record["ended_by"]) == ({"main": None}, "caller")


async def test_silence_ends_as_the_menu_says(call):
    otherwise = Branch({"silent": True})
    ending = held(call, prompt=SHORT, retries=1, first_key_seconds=0.02, otherwise=otherwise)
    end = await asyncio.wait_for(ending, 10)
    assert end.report_data == {"main": None, "silent": True}
    assert [step["entry"] for step in end.record["steps"]] == ["no_key", "no_key"]


async def test_a_menu_that_is_cancelled_hangs_up(call, far_end):
    ending = held(call)
    await far_end.until(lambda: SOUNDS[LONG] * 160 in far_end.heard)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert call.result.done()


async def test_keys_by_info_lead_through_the_menu_of_a_call_and_get_200():
    carrier = Carrier(CarrierSettings(second=0.1, **TIMERS), SystemClock())
    agent = UserAgent(
        UserAgentSettings("127.0.0.1", rtp_ports=(20000, 39999), **TIMERS), SystemClock()
    )
    await carrier.start()
    await agent.start()
    trunk = Trunk("simulator", "127.0.0.1", port=carrier.address.port)
    answered = asyncio.get_running_loop().create_future()
    call = agent.place(
        await agent.prepare(CallRequest(trunk, "+15552000000", "+15550001111")),
        lambda event: isinstance(event, Answered) and answered.set_result(event.dialog),
    )
    dialog = await asyncio.wait_for(answered, 10)
    ending = held(call, digits=3, branches={"XXX": Branch()})
    while not call.digit_listeners:  # noqa: ASYNC110 - the task of the menu has yet to begin
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    with bind("127.0.0.1", 0) as phone:
        port = phone.getsockname()[1]
        answers = asyncio.Queue()
        loop.add_reader(phone, lambda: answers.put_nowait(phone.recv(4096)))
        ours = call._route.driver.transport.local
        for place, (kind, body) in enumerate(
            [
                ("application/dtmf-relay", b"Signal=4\r\nDuration=160\r\n"),
                ("application/dtmf", b"0"),
                ("text/plain", b"9"),
                ("application/dtmf-relay", b"Signal=7"),
            ]
        ):
            info = request_bytes(
                "INFO",
                body=body,
                content_type=kind,
                to=dialog.local,
                **{"from": dialog.remote},
                call_id=dialog.call_id,
                cseq=f"{1000 + place} INFO",
                via=f"SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKinfo{place}",
            )
            for _ in range(2):  # the second is a retransmission, and no key
                phone.sendto(info, (ours.host, ours.port))
            answer = await asyncio.wait_for(answers.get(), 10)
            assert answer.startswith(b"SIP/2.0 200 ")
        loop.remove_reader(phone)
    end = await asyncio.wait_for(ending, 10)
    assert (end.report_data, end.record["keys_by"]) == ({"main": "407"}, "info")
    await asyncio.wait_for(call.result, 10)
    await agent.close()
    await carrier.close()
