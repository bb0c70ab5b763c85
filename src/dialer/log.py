"""Logging: structlog for us, the standard library's records of others through the same pipe."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TextIO

import structlog

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

HIDDEN = "[hidden]"
_SECRET_KEY = re.compile(
    r"passw|secret|token$|authorization|credential|api_?key|cookie", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"(?P<url>://[^\s:/@]*:)[^\s@]+(?=@)"  # scheme://user:password@host
    r"|(?P<bearer>\bBearer\s+)[^\s\"',]+"
    r"|(?P<digest>\bDigest\s+)[^\r\n]+"
    r"|(?P<signing>\bwhsec_)[\w+/=]+",
    re.IGNORECASE,
)
# What these say at level info is about themselves, not about calls.
TALKATIVE = ("alembic", "asyncio", "httpcore", "httpx")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x80-\x9f\u2028\u2029]")


def configure(
    *, fmt: LogFormat = "console", level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Send every log record of the process to `stream` (stderr), one line each.

    `json` writes one object a line; `console` is for a person's eyes. Records of libraries that
    use the standard library's logging take the same way. Calling it again replaces the set-up.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        scrub,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(),
            timestamp_key="at",
            exception_formatter=structlog.dev.plain_traceback,  # no locals: they hold secrets
        )
    )
    tail: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _scrub_exception,
        renderer,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=tail)
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel("WARNING" if level == "info" else "NOTSET")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def about_call(*, call_id: int, campaign_id: int) -> AbstractContextManager[None]:
    """Name the call and its campaign in every record written inside a `with` block."""
    return structlog.contextvars.bound_contextvars(call_id=call_id, campaign_id=campaign_id)


def about_campaign(campaign_id: int) -> AbstractContextManager[None]:
    """Name the campaign in every record written inside a `with` block."""
    return structlog.contextvars.bound_contextvars(campaign_id=campaign_id)


def scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide secrets and write control characters as escapes: a structlog processor.

    A value is hidden where its key names a secret, or where the text carries one (a password in
    an address, an Authorization value). Escaped control characters keep one record one line,
    whatever a peer sent.
    """
    for key, value in event.items():
        if key not in {"exc_info", "_record"}:
            event[key] = _clean(key, value)
    return event


def _scrub_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide the secrets in a formatted traceback, whose lines stay lines."""
    if "exception" in event:
        event["exception"] = _without_secrets(event["exception"])
    return event


def _clean(key: object, value: object) -> object:
    """Return `value` as it may stand in a log under `key`."""
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, bytes):
        return _plain(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {name: _clean(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, item) for item in value]
    return value


def _plain(text: str) -> str:
    """Return `text` on one line and without the secrets that it shows."""
    return _CONTROL.sub(
        lambda found: found[0].encode("unicode_escape").decode("ascii"), _without_secrets(text)
    )


def _without_secrets(text: str) -> str:
    """Return `text` with what looks like a password or an Authorization value hidden."""
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastgroup or 0]}{HIDDEN}", text)
