"""A pyVoIP telephone in a process of its own: registers, answers, keeps what it heard.

It speaks on stdout, a word a line: `registered`, `ringing`, `answered`, `ended`. The audio of a
call is in the WAV file by the time it says `ended`. It ends when its stdin closes.
"""

from __future__ import annotations

import argparse
import sys
import time
import wave
from pathlib import Path

from pyVoIP.VoIP import CallState, PhoneStatus, VoIPCall, VoIPPhone

LONGEST_CALL = 60  # seconds
SAMPLE_RATE = 8000


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def write_wav(path: Path, audio: bytes) -> None:
    """pyVoIP hands out unsigned 8-bit samples, which is what an 8-bit WAV holds."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(audio)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--sip-port", type=int, required=True)
    parser.add_argument("--rtp-port", type=int, required=True)
    parser.add_argument("--username", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--heard", type=Path, required=True)
    parser.add_argument("--never-answer", action="store_true")
    arguments = parser.parse_args()

    def take(call: VoIPCall) -> None:
        say("ringing")
        if arguments.never_answer:
            return
        time.sleep(1)  # pyVoIP is not ready to answer in the moment that it rings
        call.answer()
        say("answered")
        while call.state is CallState.ANSWERED:
            time.sleep(0.02)
        # pyVoIP keeps all of it in timestamp order, and fills up with silence what it has not
        audio = call.read_audio(LONGEST_CALL * SAMPLE_RATE, blocking=False)
        write_wav(arguments.heard, audio.rstrip(b"\x80"))
        say("ended")

    phone = VoIPPhone(
        "127.0.0.1",
        arguments.server_port,
        arguments.username,
        arguments.password,
        myIP="127.0.0.1",
        callCallback=take,
        sipPort=arguments.sip_port,
        rtpPortLow=arguments.rtp_port,
        rtpPortHigh=arguments.rtp_port + 20,
    )
    phone.start()
    while phone.get_status() is PhoneStatus.REGISTERING:
        time.sleep(0.02)
    say(phone.get_status().name.lower())
    sys.stdin.read()
    phone.stop()


if __name__ == "__main__":
    main()
