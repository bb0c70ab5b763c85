"""Errors as the API tells them: problem details (RFC 9457), one clear line each."""

from __future__ import annotations

import http
import json
import secrets
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from dialer.api.context import context_of, told_path
from dialer.store.errors import NotFound, Refused, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pydantic
    from aiohttp.typedefs import Handler
    from pydantic_core import ErrorDetails

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = 2  # seconds after which Postgres is worth another try
MAX_ERRORS = 50  # of a body; one wrong list must not make a huge answer

log = structlog.get_logger(__name__)


class Problem(Exception):  # noqa: N818 - the RFC's word
    """A refusal: HTTP status, one line of detail, and members of its own."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> web.Response:
        """Return the answer that tells it."""
        body = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return web.Response(
            status=self.status,
            body=json.dumps(body).encode(),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def invalid(errors: Sequence[tuple[str, str]], where: str) -> Problem:
    """Return the refusal of input: `errors` are (JSON pointer or parameter name, what is wrong)."""
    pointer, detail = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Problem(
        422,
        f"{where}{f' {pointer}' if pointer else ''}: {detail}{more}",
        errors=[{"pointer": pointer, "detail": detail} for pointer, detail in errors[:MAX_ERRORS]],
    )


def explain(error: pydantic.ValidationError, document: object) -> list[tuple[str, str]]:
    """Return pydantic's errors as (JSON pointer into the document, sentence), one for each place.

    Of a value that may be of several types, the first one's error stands for all.
    """
    told: dict[str, str] = {}
    for found in error.errors(include_url=False, include_context=False):
        told.setdefault(pointer(_place(found, document)), _sentence(found))
    return list(told.items())


def _place(found: ErrorDetails, document: Any) -> Iterator[int | str]:
    """Yield where an error is, without what pydantic says besides: which type of a union it is."""
    *above, last = found["loc"] or ("",)
    for part in above:
        if _has(document, part):
            document = document[part]
            yield part
    if _has(document, last) or found["type"] == "missing":
        yield last


def _has(document: Any, part: int | str) -> bool:
    if isinstance(document, list):
        return isinstance(part, int) and part < len(document)
    return isinstance(document, dict) and part in document


def pointer(location: Iterable[int | str]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _sentence(found: ErrorDetails) -> str:
    """Return what is wrong, with the value where it is short."""
    if found["type"] == "extra_forbidden":
        return "unknown key"
    if found["type"] == "missing":
        return "is missing"
    sentence = found["msg"].removeprefix("Value error, ")
    value = found["input"]
    if isinstance(value, bool | int | float | str):
        shown = repr(value)
        sentence += f" (it is {shown if len(shown) <= 60 else shown[:57] + '...'})"
    return sentence


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem, and nothing into a stack trace."""
    try:
        return await handler(request)
    except Problem as problem:
        return _refuse(request, problem)
    except web.HTTPException as error:
        return _refuse(request, _of_aiohttp(request, error))
    except StoreError as error:
        return _refuse(request, _of_store(request, error))
    except (ConnectionError, TimeoutError) as error:
        # the store's own are StoreErrors: this is a reader that left, or that takes nothing
        return _refuse(request, Problem(408, f"the answer could not be sent: {error!r}"))
    except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours, told by its id
        return _refuse(request, unexpected(error))


def _refuse(request: web.Request, problem: Problem) -> web.Response:
    """Return the answer; cut off one that has begun, so that nobody takes it for whole."""
    if request.writer.output_size > 0 and request.transport is not None:
        log.warning("answer cut off", path=told_path(request), reason=problem.detail)
        request.transport.abort()
    return problem.response()


def unexpected(error: Exception) -> Problem:
    """Return the problem for an exception nobody foresaw, and log it under the id it names."""
    identifier = secrets.token_hex(8)
    log.error("unexpected error", error_id=identifier, exc_info=error)
    return Problem(
        500,
        f"an error of the dialer's own; the log says more under error_id {identifier}",
        error_id=identifier,
    )


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> Problem:
    """Return aiohttp's own refusals in our words."""
    if isinstance(error, web.HTTPNotFound):
        return Problem(
            404,
            f"there is nothing at {request.rel_url.raw_path}; /openapi.json lists what there is",
        )
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(
            405,
            f"{request.method} is not for {request.rel_url.raw_path}; it takes {allowed}",
            headers={"Allow": allowed},
        )
    if error.status >= 400:
        return Problem(error.status, error.reason)
    return unexpected(error)


def _of_store(request: web.Request, error: StoreError) -> Problem:
    """Return what the store said no to."""
    if isinstance(error, NotFound):
        return Problem(404, str(error))
    if isinstance(error, Refused):
        return Problem(409, str(error))
    log.warning("the store is away", error=str(error))
    context_of(request).metrics.store_errors.labels("api").inc()
    return Problem(
        503,
        "Postgres does not answer now; look whether the change was made, and try again",
        headers={"Retry-After": str(RETRY_AFTER)},
    )
