"""The body of a message: what a receiver is told of an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.webhook_records import ClaimedDelivery

VERSION = 1  # of the form; a member may be added without a new one


def body(delivery: ClaimedDelivery) -> bytes:
    """Return the JSON that is sent and signed."""
    message = {
        "id": delivery.message_id,
        "version": VERSION,
        "type": delivery.kind,
        "timestamp": _json(delivery.at),
        "data": _data(delivery),
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_json).encode()


def _data(delivery: ClaimedDelivery) -> dict[str, Any]:
    change = dict(delivery.data)
    data: dict[str, Any] = {
        "account_id": delivery.account_id,
        "campaign": delivery.campaign,
        "call": None,
        "attempt": None,
        "change": change,
    }
    if delivery.call is not None:
        # the event's own words: the call may have gone on since
        told = {"status": change.get("to"), "previous_status": change.get("from")}
        told |= {name: change.get(name) for name in ("outcome", "rule")}
        data["call"] = delivery.call | told
        data["attempt"] = delivery.attempt
    elif delivery.campaign is not None and delivery.kind.startswith("campaign."):
        told = {"status": change.get("to"), "previous_status": change.get("from")}
        data["campaign"] = delivery.campaign | told
    return data


def _json(value: dt.datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
