"""Calls to a real Asterisk that the whole service records, and hands out by its API."""

from __future__ import annotations

import asyncio
import base64
import io

import numpy as np
import pytest
import soundfile

from dialer import config
from dialer.client import Client
from dialer.rtp import g711
from dialer.service import Service
from dialer.ua import audio

from . import sound
from .test_prompt_whole import place_of

PATIENCE = 30  # seconds
CALLER_IDS = {"wav": "15550401", "opus": "15550402"}
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


SILENT = g711.SAMPLE_RATE // 2  # samples: it begins before the recording has


def melody():
    """Return three seconds of tones that nothing else sounds like, behind a little silence."""
    random = np.random.default_rng(4)
    pieces = [np.zeros(SILENT)]
    for hertz in random.uniform(300, 3000, 24):
        times = np.arange(1000) / g711.SAMPLE_RATE
        pieces.append(9000 * np.sin(2 * np.pi * hertz * times))
    return g711.encode(np.concatenate(pieces).astype(np.int16), "PCMU")


@pytest.fixture
async def client(asterisk, database_url, tmp_path, monkeypatch):
    """The API of a whole service that seals what it records."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LAB_PASSWORD", "dialer-secret")
    monkeypatch.setenv("DIALER_RECORDING_KEYS", KEY)
    (tmp_path / "prompts").mkdir()
    sound.write_prompt(tmp_path / "prompts" / "sweep.wav", 8000)
    for caller_id in CALLER_IDS.values():
        (asterisk.folder / "spool" / f"say-{caller_id}.ulaw").write_bytes(melody())
    settings = config.Config(
        folder=tmp_path,
        api=config.Api(port=0),
        sip=config.Sip(host="127.0.0.1"),
        numbers=config.Numbers(internal="[0-9]{4}"),
        recordings=config.Recordings(spare_mib=1),
        trunk=(
            config.Trunk(
                name="lab",
                address=f"127.0.0.1:{asterisk.port}",
                username="dialer",
                password_env="LAB_PASSWORD",
                codecs=("PCMU",),
            ),
        ),
    )
    service = Service(settings)
    await service.start()
    try:
        async with Client(service.api_url) as client:
            yield client
    finally:
        await service.stop()


async def recorded(client, form):
    """Call the far end that says the melody, and return the recording and its samples."""
    campaign = await client.create_campaign(
        {
            "name": "Recorded",
            "trunks": ["lab"],
            "caller_ids": [CALLER_IDS[form]],
            "max_attempts": 1,
            "on_answer": {
                "kind": "prompt",
                "file": "sweep.wav",
                "recording": {"consent": "given", "format": form},
            },
        }
    )
    await client.add_numbers(campaign.id, ["1009"])
    await client.start(campaign.id)
    async with asyncio.timeout(PATIENCE):
        while not (page := await client.recordings.page(campaign_id=campaign.id)).items:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.1)
    [found] = page.items
    data = b"".join([piece async for piece in client.recordings.audio(found.id)])
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return found, samples, rate


async def test_both_sides_are_recorded_sample_by_sample(client, tmp_path, figure):
    found, samples, rate = await recorded(client, "wav")
    assert (rate, found.whole, found.sealed) == (8000, True, True)
    prompt = audio.read(tmp_path / "prompts" / "sweep.wav")
    ours = g711.decode(g711.encode(prompt, "PCMU"), "PCMU")
    # the far end hangs up after its melody, so of our three seconds a little may be missing
    wanted = {
        "far end": (samples[:, 0], g711.decode(melody(), "PCMU")[SILENT:]),
        "ours": (sound.without_pauses(samples[:, 1]), ours[: 2 * 8000]),
    }
    for name, (side, said) in wanted.items():
        begin = place_of(said, side)
        differing = int(np.count_nonzero(side[begin : begin + len(said)] != said))
        figure(f"recording, {name}", f"{differing} of {len(said)} samples differ", "0")
        assert differing == 0
    kept = [path for path in (tmp_path / "recordings").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == [f"{found.id}.wav.sealed"]
    assert not list((tmp_path / "recordings-spool").glob("*"))


async def test_opus_sounds_like_what_was_said(client, tmp_path, figure):
    found, samples, rate = await recorded(client, "opus")
    assert abs(len(samples) / rate - found.seconds) < 0.05
    octets = found.octets / found.seconds
    figure("recording as Opus", f"{octets / 32_000:.0%} of the octets of WAV", "at most 25 %")
    assert octets < 32_000 / 4
    heard = tmp_path / "side.wav"
    soundfile.write(heard, samples[:, 0], rate)
    said = g711.decode(melody(), "PCMU")[SILENT:].astype(float)
    assert np.median(sound.likeness(said, audio.read(heard).astype(float))) > 0.9
