"""What a campaign says shall happen on an answered call, done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer import prompts
from dialer.conversation.prompt import HELLO, hang_up_after, play_prompt
from dialer.ua.audio import AudioError, AudioLibrary

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.clock import Clock
    from dialer.store.records import ClaimedCall
    from dialer.ua.outbound import OutboundCall


class Conversations:
    """Runs `on_answer` of the campaign; `folder` holds the files that it may name."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folders = (folder, HELLO.parent)
        self._clock = clock
        self._library = AudioLibrary()

    async def __call__(self, claimed: ClaimedCall, call: OutboundCall) -> None:
        """Hold the conversation and hang up; raises AudioError for a prompt that is not there."""
        wanted = claimed.on_answer
        if wanted.get("kind") == "prompt":
            try:
                path = self.prompt(str(wanted["file"]))
            except AudioError:
                call.hang_up()
                raise
            await play_prompt(call, path, self._library)
        else:
            await hang_up_after(call, float(wanted.get("after_seconds", 0)), self._clock)

    def prompt(self, name: str) -> Path:
        """Find a prompt in the folder, or among those that come with the dialer."""
        path = prompts.find(self._folders, name)
        if path is None:
            raise AudioError(f"no prompt {name!r} in {self._folders[0]}")
        return path
