"""Requests to the control API: sent with a key, sent again where the answer was lost, and read."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
import pydantic

from dialer.api import models
from dialer.clock import SystemClock

if TYPE_CHECKING:
    import types
    from collections.abc import AsyncIterator

    from dialer.clock import Clock

Model = TypeVar("Model", bound=pydantic.BaseModel)
READ_TIMEOUT = 60.0  # seconds
PAUSES = (0.2, 1.0, 3.0)  # seconds before a request whose answer was lost is sent again
KEYED = frozenset({"POST", "PATCH"})

# What tells that a request may have arrived, and its answer was lost; it is sent again.
LOST = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class ApiProblem(Exception):  # noqa: N818 - what the API's refusals are called (RFC 9457)
    """The API refused, or could not be reached; the text is one line for a person.

    `status` is the HTTP status, None where there was no answer; `problem` what the answer said.
    """

    def __init__(
        self, line: str, status: int | None = None, problem: models.ProblemDetails | None = None
    ) -> None:
        super().__init__(line)
        self.status = status
        self.problem = problem


class ApiConnection:
    """The connections of a client to one API."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._base_url = base_url
        self._clock = clock or SystemClock()
        self._key: str | None = None
        try:
            self._http = httpx.AsyncClient(
                base_url=base_url,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=httpx.Timeout(10.0, read=READ_TIMEOUT),
                transport=transport,
                trust_env=False,
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ApiProblem(f"{base_url!r} or the token cannot be used: {error}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def with_key(self, key: str) -> Self:
        """Return a client on the same connections whose next change has this idempotency key.

        For who keeps the key and may send the change again, after a restart for example: a key
        is good for one request, and the same one gets the answer of the first.
        """
        keyed = copy.copy(self)
        keyed._key = key  # noqa: SLF001 - it is one of our own
        return keyed

    async def _pieces(self, path: str, **request: Any) -> AsyncIterator[bytes]:
        """Yield the pieces of an answer as they come."""
        try:
            async with self._http.stream("GET", path, **request) as response:
                if response.is_error:
                    await response.aread()
                    raise problem_of(response)
                async for piece in response.aiter_bytes():
                    yield piece
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    async def _json(self, model: type[Model], method: str, path: str, **request: Any) -> Model:
        response = await self._request(method, path, **request)
        try:
            return model.model_validate_json(response.content)
        except pydantic.ValidationError:
            raise ApiProblem(
                f"{self._base_url} answered {response.status_code} with something else than"
                " the dialer's API would; check the address",
                response.status_code,
            ) from None

    async def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        # a stream cannot be sent again, and a deletion that was done would be told as not found
        once = "content" in request or method == "DELETE"
        key = self._key or (None if once else str(uuid.uuid4()))
        if method in KEYED and key is not None:
            request["headers"] = {"Idempotency-Key": key, **request.get("headers", {})}
        sent = False
        for pause in (*PAUSES, None):
            try:
                response = await self._http.request(method, path, **request)
            except httpx.HTTPError as error:
                # once it may have arrived, a service that restarts is waited for
                lost = isinstance(error, (*LOST, httpx.ConnectError) if sent else LOST)
                if pause is None or once or not lost:
                    raise self._unreachable(error) from None
                sent = True
            else:
                if response.is_success:
                    return response
                # the first sending is still under way, over a connection that broke
                under_way = response.status_code == 409 and "Retry-After" in response.headers
                if pause is None or once or not under_way:
                    raise problem_of(response)
            await self._clock.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _unreachable(self, error: httpx.HTTPError) -> ApiProblem:
        reason = str(error) or type(error).__name__
        return ApiProblem(f"cannot reach the dialer's API at {self._base_url}: {reason}")


def problem_of(response: httpx.Response) -> ApiProblem:
    """Return the error that a refusal is, whether or not it is in the API's own form."""
    try:
        problem = models.ProblemDetails.model_validate_json(response.content)
    except pydantic.ValidationError:
        line = f"the API answered {response.status_code} {response.reason_phrase}".rstrip()
        return ApiProblem(line, response.status_code)
    return ApiProblem(problem.detail, response.status_code, problem)
