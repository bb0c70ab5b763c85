"""What goes over the wire about what campaigns may name: prompts, and secrets of bots."""

from pydantic import Field

from dialer.api.models import Answer


class PromptFile(Answer):
    """An audio file that campaigns may name; `problem` says why one cannot be played."""

    name: str
    seconds: float | None = Field(description="how long it plays; null where that cannot be told")
    problem: str | None


class PromptList(Answer):
    """The files of the prompts' folder on the node that answers, by name."""

    items: list[PromptFile]
    truncated: bool = Field(description="there are more files than are listed")


class BotSecret(Answer):
    """A header of the configuration that bots at or below a URL are sent; never its value."""

    name: str
    url: str


class BotSecretList(Answer):
    """The secrets that campaigns may name."""

    items: list[BotSecret]
