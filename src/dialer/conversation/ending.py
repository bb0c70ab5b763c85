"""What a conversation hands back when it is over, whoever held it."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cause(enum.StrEnum):
    """Why an answered call ends as something else, in the outcome table's words of local causes."""

    BOT_FAILED = "bot_failed"  # the bot could not be reached or failed
    MACHINE = "machine"  # a machine answered, and the campaign does not speak to it
    MESSAGE_LEFT = "message_left"  # a machine answered, and was left a message
    FAX = "fax"  # a fax answered
    SILENT = "silent"  # whoever answered made no sound


@dataclasses.dataclass(frozen=True, slots=True)
class ConversationEnd:
    """What an attempt's record gains by a conversation.

    Without a `cause` the call is simply answered. `detail` is a sentence for a person, or empty.
    `record` says what happened, in values of JSON; `report_data` are the fields that the
    conversation found out, with JSON's plain values. `opted_out`: the person wants no more calls.
    """

    cause: Cause | None = None
    detail: str = ""
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report_data: Mapping[str, str | int | float | bool | None] = dataclasses.field(
        default_factory=dict
    )
    opted_out: bool = False
