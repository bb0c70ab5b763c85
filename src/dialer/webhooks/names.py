"""The addresses of a receiver's name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dialer.webhooks.transport import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dialer.ua.name_look_up import NameLookUp


def look_up_by(names: NameLookUp) -> Callable[[str], Awaitable[list[str]]]:
    """Return a function that gives a name's addresses, IPv4 first; it raises Refused for none."""

    async def look_up(host: str) -> list[str]:
        if listed := names.hosts(host):
            return list(listed)
        answers = await asyncio.gather(*(names.ask(host, kind) for kind in ("A", "AAAA")))
        found = [one.address for records in answers for one in records.data]  # type: ignore[attr-defined] # dnspython's A and AAAA have it
        if not found:
            why = next((one.reason for one in answers if not one.answered), answers[0].reason)
            raise Refused(f"the name {host} has no address: {why}")
        return found

    return look_up
