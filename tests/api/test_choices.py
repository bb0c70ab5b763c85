"""What campaigns may name: audio files, and the secrets of bots."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile

from dialer import prompts
from dialer.api import choices
from dialer.config_bots import Bots
from dialer.conversation.prompt import HELLO
from dialer.ua import audio

SECRETS = [
    {"name": "sales", "url": "wss://bots.example.com/sales", "value_env": "SALES_BOT"},
    {"name": "survey", "url": "wss://survey.example.com", "header": "X-Key", "value_file": "key"},
]


def write(path, seconds, rate=8000):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.zeros(int(seconds * rate), np.int16), rate)


@pytest.fixture
def folder(tmp_path):
    """A folder with all that may lie in one."""
    made = tmp_path / "prompts"
    write(made / "music.wav", 2.5, 16000)
    write(made / "de" / "welcome.flac", 1)
    write(made / "long.wav", 600.5, 1000)
    write(made / "nothing.wav", 0)
    write(made / ".hidden.wav", 1)
    write(made / ".trash" / "old.wav", 1)
    write(tmp_path / "outside.wav", 1)
    (made / "leads-out.wav").symlink_to(tmp_path / "outside.wav")
    (made / "same.wav").symlink_to(made / "music.wav")
    (made / "notes.txt").write_text("not a sound")
    (made / "headerless.raw").write_bytes(bytes(8000))
    os.mkfifo(made / "pipe.wav")
    return made


async def test_prompts_are_listed_by_name_with_how_long_they_play(pool, serve, folder):
    async with serve(pool, prompts=(folder, HELLO.parent)) as api:
        answer = await api("GET", "/v1/prompts")
    hello = soundfile.info(HELLO)
    no_audio = "it is not an audio file that can be read"
    assert answer["truncated"] is False
    assert [(one["name"], one["seconds"], one["problem"]) for one in answer["items"]] == [
        ("de/welcome.flac", 1, None),
        ("headerless.raw", None, no_audio),
        ("hello.wav", round(hello.frames / hello.samplerate, 3), None),
        ("long.wav", 600.5, "it is longer than 600 s"),
        ("music.wav", 2.5, None),
        ("notes.txt", None, no_audio),
        ("nothing.wav", None, "it holds no audio"),
        ("same.wav", 2.5, None),
    ]


async def test_what_is_listed_as_playable_is_what_can_be_played(folder):
    for one in prompts.listed([folder], 100):
        path = prompts.find([folder], one.name)
        if one.problem is None:
            seconds = len(audio.read(path, prompts.MOST_SECONDS)) / 8000
            assert seconds == pytest.approx(one.seconds, abs=0.01)
        else:
            with pytest.raises(audio.AudioError):
                audio.read(path, prompts.MOST_SECONDS)


async def test_a_campaign_may_name_what_is_listed(pool, serve, folder):
    async with serve(pool, prompts=(folder, HELLO.parent)) as api:
        for one in (await api("GET", "/v1/prompts"))["items"]:
            await api.campaign(on_answer={"kind": "prompt", "file": one["name"]})


async def test_the_first_folder_goes_before_the_second(pool, serve, folder):
    write(folder / "hello.wav", 3)
    async with serve(pool, prompts=(folder, HELLO.parent)) as api:
        items = (await api("GET", "/v1/prompts"))["items"]
    assert [one["seconds"] for one in items if one["name"] == "hello.wav"] == [3]


async def test_a_folder_that_is_not_there_has_no_prompts(pool, serve, tmp_path):
    async with serve(pool, prompts=(tmp_path / "none",)) as api:
        assert await api("GET", "/v1/prompts") == {"items": [], "truncated": False}
    async with serve(pool) as api:
        assert await api("GET", "/v1/prompts") == {"items": [], "truncated": False}


async def test_of_very_many_files_not_all_are_listed(pool, serve, tmp_path, monkeypatch):
    for number in range(4):
        write(tmp_path / f"{number}.wav", 1)
    monkeypatch.setattr(choices, "MOST_PROMPTS", 3)
    async with serve(pool, prompts=(tmp_path,)) as api:
        answer = await api("GET", "/v1/prompts")
    assert answer["truncated"] is True
    assert len(answer["items"]) == 3


async def test_secrets_of_bots_are_listed_without_what_they_hold(pool, serve):
    async with serve(pool, bots=Bots(secrets=SECRETS)) as api:
        answer = await api("GET", "/v1/bot-secrets")
    assert answer == {
        "items": [
            {"name": "sales", "url": "wss://bots.example.com/sales"},
            {"name": "survey", "url": "wss://survey.example.com"},
        ]
    }
    async with serve(pool) as api:
        assert await api("GET", "/v1/bot-secrets") == {"items": []}
