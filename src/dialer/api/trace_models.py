"""What was kept of a call's signalling, as JSON."""

import datetime as dt
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A SIP message as it passed; digest answers and media keys are blotted out.

    `local` and `peer` are `host:port`.
    """

    model_config = ConfigDict(from_attributes=True)

    at: dt.datetime
    direction: Literal["sent", "received"]
    transport: Literal["udp", "tcp", "tls"]
    local: str
    peer: str
    text: str


class LegMessages(BaseModel):
    """The messages of one INVITE and its call, in the order in which they passed."""

    attempt_id: UUID
    leg: int
    messages: list[Message]
    rtp_packets: int


class CallMessages(BaseModel):
    """What was kept of a call, oldest leg first; nothing once it is older than `keep_days`."""

    call_id: int
    legs: list[LegMessages]
