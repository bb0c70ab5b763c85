"""A person's data, over HTTP: its erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.api import inputs, report_models
from dialer.api.context import account_of, answer, context_of
from dialer.api.problem import invalid
from dialer.campaign.number import NumberError, normalise
from dialer.store import erasure

if TYPE_CHECKING:
    from aiohttp import web


async def erase(request: web.Request) -> web.Response:
    """Erase what is on record of the person with a number."""
    context = context_of(request)
    asked = await inputs.json_body(request, report_models.ERASE_PERSON, context.settings)
    try:
        number = normalise(asked.number, context.settings.internal_numbers).text
    except NumberError as error:
        raise invalid([("/number", str(error))], "body") from None
    erased = await erasure.erase(context.pool, account_of(request), number)
    return answer(report_models.ErasedPerson.model_validate(erased))
