"""The last net under callbacks: what they raise is logged in one line and goes no further."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

_log = structlog.get_logger(__name__)


def guarded(function: Callable[..., None], *arguments: object) -> None:
    """Call a function that may be at fault, for one who must not fall with it."""
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - one bad event must not stop the others
        tell_fault(error)


def asked(function: Callable[..., T], *arguments: object) -> T | None:
    """Return what a function says that may be at fault, None where it is."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - as above
        tell_fault(error)
        return None


def tell_fault(error: Exception) -> None:
    """Log what a callback raised, in one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("a callback failed", fault=repr(error), at=f"{last.filename}:{last.lineno}")
