"""The part of the route table that says what campaigns may name."""

from __future__ import annotations

from dialer.api import choice_models, choices
from dialer.api.route import Route
from dialer.campaign.role import Role

CHOICE_ROUTES = (
    Route(
        "GET",
        "/v1/prompts",
        "listPrompts",
        choices.list_prompts,
        "List the audio files that campaigns may play, as the node has them that answers",
        choice_models.PromptList,
        role=Role.VIEWER,
    ),
    Route(
        "GET",
        "/v1/bot-secrets",
        "listBotSecrets",
        choices.list_bot_secrets,
        "List the names of the secrets that bots may be sent, with the URLs that they cover",
        choice_models.BotSecretList,
        role=Role.VIEWER,
    ),
)
