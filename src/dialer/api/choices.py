"""What campaigns may name, over HTTP: the prompts, and the secrets of bots.

They are the same for all accounts, as the folder and the configuration are that they come from.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dialer import prompts
from dialer.api import choice_models
from dialer.api.context import answer, context_of

if TYPE_CHECKING:
    from aiohttp import web

MOST_PROMPTS = 1000


async def list_prompts(request: web.Request) -> web.Response:
    """List the audio files of this node's folder of prompts, and those that come with us."""
    folders = context_of(request).settings.prompts
    found = await asyncio.to_thread(prompts.listed, folders, MOST_PROMPTS + 1)
    items = [choice_models.PromptFile.model_validate(one) for one in found[:MOST_PROMPTS]]
    return answer(choice_models.PromptList(items=items, truncated=len(found) > MOST_PROMPTS))


async def list_bot_secrets(request: web.Request) -> web.Response:
    """List the names of the secrets of bots with the URLs that they cover."""
    bots = context_of(request).settings.bots
    found = () if bots is None else bots.secrets
    items = [choice_models.BotSecret.model_validate(one) for one in found]
    return answer(choice_models.BotSecretList(items=items))
