"""Session descriptions as gateways and PBXs send them: the user agent against SIPp."""

from __future__ import annotations

import re

import pytest

from dialer.ua.call import CallRequest, HungUpBy, LocalCause

SDP = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio [media_port] RTP/AVP """
MULTIPART = f"""--far-end
Content-Type: application/ISUP;version=itu-t92+
Content-Disposition: signal;handling=optional

06
--far-end
Content-Type: application/sdp

{SDP}0
--far-end--"""
AUDIO = "m=audio [media_port] RTP/AVP 0"
FAX = "m=image [media_port] udptl t38\na=T38FaxVersion:0\na=T38FaxRateManagement:transferredTCF"
VIDEO = "m=video [media_port] RTP/AVP 31"
VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"


def request(far, **trunk):
    return CallRequest(far.trunk(**trunk), "4711", "15550100", max_talk=10)


@pytest.mark.parametrize(
    ("media", "code", "expected"),
    [
        (FAX, "488", "488"),
        (VIDEO, "488", "488"),
        (f"{AUDIO}\n{FAX}", "200", "m=audio [1-9][0-9]+ RTP/AVP 0.*m=image 0 udptl t38"),
        (f"{VIDEO}\n{AUDIO}", "200", "m=video 0 RTP/AVP 31.*m=audio [1-9][0-9]+ RTP/AVP 0"),
    ],
    ids=["fax", "video", "fax beside audio", "video beside audio"],
)
async def test_other_media_is_refused_and_the_call_goes_on(
    far_end, user_agent, media, code, expected
):
    # RFC 3261 §17.1.1.3: the ACK of a refusal has the Via of its INVITE
    via = VIA if code == "200" else "[last_Via:]"
    far = await far_end("other-media", media=media, code=code, expected=expected, ack_via=via)
    result = await (await user_agent()).call(request(far))
    await far.finished()
    assert (result.code, result.answered, result.local_cause) == (200, True, None)
    assert result.hung_up_by is HungUpBy.THEM


async def test_a_peer_that_turns_to_encrypted_media_has_its_tag_and_suite_mirrored(
    far_end, user_agent
):
    crypto = f"a=crypto:5 AES_CM_128_HMAC_SHA1_32 inline:{'A' * 40}"
    far = await far_end(
        "other-media",
        media=f"{AUDIO.replace('AVP', 'SAVP')}\n{crypto}|2^31",
        code="200",
        expected="RTP/SAVP 0.*a=crypto:5 AES_CM_128_HMAC_SHA1_32 inline:",
        ack_via=VIA,
    )
    result = await (await user_agent()).call(request(far, srtp="optional"))
    await far.finished()
    assert result.hung_up_by is HungUpBy.THEM


@pytest.mark.parametrize("kind", ["mixed;boundary=far-end", 'related; boundary="far-end"'])
async def test_an_answer_of_several_parts(far_end, user_agent, kind):
    far = await far_end("answer-with", content_type=f"multipart/{kind}", body=MULTIPART)
    placed = CallRequest(far.trunk(), "4711", "15550100", max_talk=0.2)
    result = await (await user_agent()).call(placed)
    await far.finished()
    assert (result.answered, result.local_cause) == (True, None)
    assert result.rtp_packets_sent > 5


@pytest.mark.parametrize(
    ("payload_type", "srtp"), [("18", "off"), ("0", "required")], ids=["codec", "no key"]
)
async def test_an_answer_with_media_that_we_have_not_is_acknowledged_and_hung_up(
    far_end, user_agent, payload_type, srtp
):
    far = await far_end("answer-with", content_type="application/sdp", body=SDP + payload_type)
    result = await (await user_agent()).call(request(far, srtp=srtp))
    await far.finished()  # ACK and BYE came
    assert (result.code, result.local_cause) == (200, LocalCause.NO_MEDIA)
    assert result.rtp_packets_sent == 0


@pytest.mark.parametrize("srtp", ["off", "optional"])
async def test_asked_for_an_offer_again_the_description_is_the_same_to_its_version(
    far_end, user_agent, srtp
):
    far = await far_end("offerless")
    result = await (await user_agent()).call(request(far, srtp=srtp))
    await far.finished()
    assert result.hung_up_by is HungUpBy.THEM
    first, again = ours = re.findall(
        r"^v=0\no=- \d{5,} 1 .*?^a=sendrecv$", far.messages, re.MULTILINE | re.DOTALL
    )
    assert first == again, ours
    assert ("a=crypto" in first) is (srtp == "optional")
