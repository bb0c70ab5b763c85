"""The last net under callbacks: what they raise is logged in one line and goes no further."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)


def guarded(function: Callable[..., None], *arguments: object) -> None:
    """Call a function that may be at fault, for one who must not fall with it."""
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - one bad event must not stop the others
        fault, last = repr(error), traceback.extract_tb(error.__traceback__)[-1]
    else:
        return
    _log.error("a callback failed", fault=fault, at=f"{last.filename}:{last.lineno}")
