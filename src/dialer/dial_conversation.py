"""What `dialer dial` does once the call is answered."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from dialer.campaign.settings import LetBotSpeak
from dialer.config import ConfigError
from dialer.conversation.bot import BotConversation, BotRequest
from dialer.conversation.ending import ConversationEnd
from dialer.conversation.prompt import play_prompt
from dialer.engine.bot_access import bot_access
from dialer.ua.audio import AudioError, AudioLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from dialer.clock import Clock
    from dialer.config import Config
    from dialer.conversation.bot_connection import BotSettings
    from dialer.ua.outbound import OutboundCall

Converse: TypeAlias = "Callable[[OutboundCall], Coroutine[Any, Any, ConversationEnd]]"


async def prompt_of(path: Path, codec: str) -> Converse:
    """Return the playing of an audio file; raises ConfigError where it cannot be played."""
    library = AudioLibrary()
    try:
        await library.fetch(path, codec)
    except AudioError as error:
        raise ConfigError(str(error)) from None

    async def converse(call: OutboundCall) -> ConversationEnd:
        try:
            await play_prompt(call, path, library)
        except AudioError as error:  # it has changed since
            raise ConfigError(str(error)) from None
        return ConversationEnd()

    return converse


def bot_at(url: str, settings: Config, clock: Clock, number: str) -> Converse:
    """Return a conversation led by a bot; raises ConfigError.

    It may be at any address, and gets the headers of the secrets that cover its URL: whoever can
    start this command can read the configuration.
    """
    try:
        LetBotSpeak(url=url)
    except ValidationError as error:
        raise ConfigError(f"--bot: {error.errors()[0]['msg']}") from None
    access = bot_access(settings, clock)
    wanted = BotRequest(
        url=url,
        account_sid=f"AC{0:032x}",
        call_sid="CA" + uuid.uuid4().hex,
        parameters={"number": number},
        headers={
            one.header: access.headers[one.name] for one in access.bots.secrets if one.covers(url)
        },
    )
    anywhere = dataclasses.replace(access.settings, allows=lambda _address: True)
    return functools.partial(_led_by_bot, wanted=wanted, settings=anywhere, clock=clock)


async def hang_up(call: OutboundCall) -> ConversationEnd:
    """Say nothing, and good-bye."""
    call.hang_up()
    return ConversationEnd()


async def _led_by_bot(
    call: OutboundCall, *, wanted: BotRequest, settings: BotSettings, clock: Clock
) -> ConversationEnd:
    return await BotConversation(call, wanted, settings, clock, fallback=_nothing).hold()


async def _nothing() -> str:
    return ""
