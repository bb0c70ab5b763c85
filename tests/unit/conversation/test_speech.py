"""Texts spoken by a command: a small program of the test, which writes real audio files."""

import asyncio
import os
import sys

import pytest

from dialer.clock import SystemClock
from dialer.conversation.speech import Speech, SpeechSettings
from dialer.ua.audio import AudioError, read

PROGRAM = """
import pathlib, sys, wave
output, voice, log = sys.argv[1:]
text = sys.stdin.buffer.read().decode()
with open(log, "a") as file:
    file.write(f"{voice}: {text}\\n")
if text == "fail":
    sys.exit("first line\\nno such voice\\n")
if text == "hang":
    import subprocess
    subprocess.run([sys.executable, "-c", "import signal; signal.pause()"])
if text != "nothing":
    with wave.open(output, "wb") as sound:
        sound.setnchannels(1); sound.setsampwidth(2); sound.setframerate(8000)
        sound.writeframes(b"\\x10\\x20" * 80 * len(text))
"""


@pytest.fixture
def speech(tmp_path):
    """`speech(**settings)` speaks by the program; what it was asked for stands in its log."""
    program, log = tmp_path / "program.py", tmp_path / "log"
    program.write_text(PROGRAM)
    log.touch()

    def make(**changes):
        command = (sys.executable, str(program), "{output}", "{voice}", str(log))
        settings = {"command": command, "folder": tmp_path / "speech", "voice": "en"} | changes
        return Speech(SpeechSettings(**settings), SystemClock())

    make.asked = lambda: log.read_text().splitlines()
    make.folder = tmp_path / "speech"
    return make


async def test_a_text_is_made_once_for_each_voice_however_many_want_it(speech):
    speaks = speech()
    paths = await asyncio.gather(*(speaks.file("Grüß Gott; $(reboot) -x") for _ in range(5)))
    assert len({*paths}) == 1
    assert len(read(paths[0])) == 80 * len("Grüß Gott; $(reboot) -x")
    assert await speech().file("Grüß Gott; $(reboot) -x") == paths[0]  # after a restart, too
    assert await speaks.file("Grüß Gott; $(reboot) -x", "de") != paths[0]
    assert speech.asked() == ["en: Grüß Gott; $(reboot) -x", "de: Grüß Gott; $(reboot) -x"]
    assert len(list(speech.folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        ("fail", {}, "ended with 1: no such voice"),
        ("nothing", {}, "wrote no file"),
        ("hang", {"timeout": 0.5}, "has not ended within 0.5 s"),
        ("Hi", {"command": ("/no/such/program", "{output}")}, "No such file or directory"),
        ("Hi", {"command": ()}, "there is no speech.command in the configuration"),
    ],
)
async def test_what_goes_wrong_is_told_in_one_line_and_leaves_nothing_behind(
    speech, text, changes, said
):
    with pytest.raises(AudioError) as caught:
        await speech(**changes).file(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [*speech.folder.glob("*")]


async def test_a_failure_is_not_kept(speech, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(AudioError, match="taken"):
        await speech(folder=tmp_path / "taken").file("Hi")
    (tmp_path / "taken").unlink()
    assert (await speech(folder=tmp_path / "taken").file("Hi")).is_file()


async def test_what_was_not_used_for_longest_goes_when_there_is_no_room(speech):
    speaks = speech(max_bytes=800)  # files of one letter have 204 octets, of three 524
    first, second = await speaks.file("a"), await speaks.file("b")
    os.utime(first, (1000, 1000))
    os.utime(second, (2000, 2000))
    await speaks.file("a")  # which makes it the later one
    third = await speaks.file("abc")
    assert {*speech.folder.iterdir()} == {first, third}
