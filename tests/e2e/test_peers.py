"""Through a border controller, and to a telephone, that others wrote: Kamailio and baresip."""

from __future__ import annotations

import numpy as np

from dialer.rtp import g711
from dialer.ua.call import CallRequest, HungUpBy, LocalCause

from . import sound
from .calling import say, talk


async def test_every_request_takes_the_recorded_route(border, user_agent):
    messages = []
    agent = await user_agent(on_message=messages.append)
    call = await talk(agent, CallRequest(border.trunk(), "1001", "15550100"), 0.2)
    assert call.answered
    sent = [passed for passed in messages if passed.direction == "sent"]
    assert {passed.peer.port for passed in sent} == {border.port}
    for method in (b"ACK", b"BYE"):
        (of_dialog,) = [one.data for one in sent if one.data.startswith(method + b" sip:") and
                        b"\r\nRoute: " in one.data]  # fmt: skip
        assert f"127.0.0.1:{border.port}".encode() in of_dialog.partition(b"\r\nRoute: ")[2]


async def test_the_border_answers_for_itself(border, user_agent):
    agent = await user_agent()
    result = await agent.call(CallRequest(border.trunk(), "9486", "15550100"))
    assert (result.code, result.phrase) == (486, "Said at the border")


async def test_the_far_end_behind_the_border_hangs_up(border, user_agent):
    agent = await user_agent()
    result = await agent.call(CallRequest(border.trunk(), "1003", "15550100", max_talk=10))
    assert result.hung_up_by is HungUpBy.THEM


async def test_a_cancel_passes_the_border(border, user_agent):
    agent = await user_agent()
    request = CallRequest(border.trunk(), "2001", "15550100", ring_timeout=0.5)
    result = await agent.call(request)
    assert (result.code, result.local_cause, result.rang) == (487, LocalCause.RING_TIMEOUT, True)


async def test_baresip_hears_the_prompt_and_is_heard(
    asterisk, answering_telephone, user_agent, tmp_path
):
    prompt = tmp_path / "prompt.wav"
    # three times over: on a busy machine a piece of one may get lost on either side
    sound.write_prompt(prompt, 48_000, times=3)
    phone = await answering_telephone("phone2")
    frames = []
    result = await say(
        await user_agent(),
        CallRequest(asterisk.trunk(), "6002", "15550100"),
        prompt,
        listener=lambda packet: frames.append(packet.payload),
    )
    assert result.answered
    await phone.ended()
    heard = sound.read(phone.heard)
    assert min(sound.likeness(sound.sweep(8000), heard)) > 0.9
    assert len(frames) > 20
    assert np.std(g711.decode(b"".join(frames), "PCMU")) > 500  # it hums


async def test_baresip_takes_one_call_after_another(asterisk, answering_telephone, user_agent):
    # not at once: baresip 1.1 holds a call when the next comes, and may lock itself up in that
    await answering_telephone("phone2")
    agent = await user_agent()
    request = CallRequest(asterisk.trunk(), "6002", "15550100")
    results = [await talk(agent, request, 0.3) for _ in range(3)]
    assert all(result.answered for result in results)
