"""One attempt: a name is looked up, its addresses are checked, and the request goes to one."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from typing import TYPE_CHECKING, TypeVar

import httpx

from dialer import __version__
from dialer.webhooks.attempt import Attempt
from dialer.webhooks.backoff import retry_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from dialer.campaign.webhook_url import Address, WebhookRules
    from dialer.clock import Clock

    LookUp = Callable[[str], Awaitable[Sequence[str]]]

T = TypeVar("T")

MOST_ADDRESSES = 4  # that are tried one after another
ANSWER_BYTES = 2048  # of an answer's body that are read, and no more
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"dialer/{__version__}",
    "Connection": "close",
    # what is read of an answer is bounded before it is unpacked
    "Accept-Encoding": "identity",
}


class Refused(Exception):  # noqa: N818 - read as a sentence
    """Nothing was sent; the text says why."""


class Transport:
    """Sends messages to receivers; `timeout` in seconds is the limit of a whole attempt.

    `look_up` gives the addresses of a name. Each attempt has a connection of its own, to an
    address that was checked for it: none is kept, so that none serves another receiver, and no
    answer of DNS counts that was not checked. Redirects are not followed, and proxies of the
    environment are not used.
    """

    def __init__(
        self,
        clock: Clock,
        look_up: LookUp,
        rules: WebhookRules,
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._look_up = look_up
        self._rules = rules
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            verify=tls or ssl.create_default_context(),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=None,  # noqa: S113 - the whole attempt has one, by the injected clock
            follow_redirects=False,
            trust_env=False,
            headers=HEADERS,
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """Send a message once, and return what came of it; raises nothing."""
        try:
            return await self._in_time(self._send(url, headers, body))
        except TimeoutError:
            return Attempt(problem=f"no answer within {self._timeout:g} s")
        except Refused as refusal:
            return Attempt(problem=str(refusal))
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            return Attempt(problem=_told(error))

    async def _in_time(self, work: Awaitable[T]) -> T:
        """Return what `work` returns; raises TimeoutError where it takes too long by the clock."""
        working = asyncio.ensure_future(work)
        patience = asyncio.ensure_future(self._clock.sleep(self._timeout))
        try:
            await asyncio.wait({working, patience}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise TimeoutError
            return working.result()
        finally:
            for task in (working, patience):
                task.cancel()
            await asyncio.gather(working, patience, return_exceptions=True)

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        self._check(url)
        target = httpx.URL(url)
        addresses = await self._addresses(target.raw_host.decode("ascii"))
        for place, address in enumerate(addresses, start=1):
            try:
                return await self._send_to(address, target, headers, body)
            except httpx.ConnectError:
                if place == len(addresses):
                    raise
        raise AssertionError("there is at least one address")

    def _check(self, url: str) -> None:
        try:
            self._rules.check(url)
        except ValueError as error:
            raise Refused(f"nothing was sent: the address {error}") from None

    async def _addresses(self, host: str) -> list[Address]:
        """Return the addresses to try; raises Refused where any is one that may not be reached."""
        with contextlib.suppress(ValueError):
            literal = ipaddress.ip_address(host.strip("[]"))
            return [self._checked(literal)]
        found = [ipaddress.ip_address(one) for one in await self._look_up(host)]
        if not found:
            raise Refused(f"the name {host} has no address")
        return [self._checked(one) for one in found][:MOST_ADDRESSES]

    def _checked(self, address: Address) -> Address:
        if why := self._rules.refused(address):
            raise Refused(f"nothing was sent: {why}")
        return address

    async def _send_to(
        self, address: Address, target: httpx.URL, headers: Mapping[str, str], body: bytes
    ) -> Attempt:
        name = target.raw_host.decode("ascii")
        request = self._http.build_request(
            "POST",
            target.copy_with(host=str(address)),
            headers={**headers, "Host": target.netloc.decode("ascii")},
            content=body,
            # the certificate must be of the name, and the far end is told which one is meant
            extensions={} if name.strip("[]") == str(address) else {"sni_hostname": name},
        )
        response = await self._http.send(request, stream=True)
        try:
            return self._attempt(response, await _beginning(response))
        finally:
            await response.aclose()

    def _attempt(self, response: httpx.Response, answer: bytes) -> Attempt:
        problem = ""
        if response.is_redirect:
            problem = f"it answered {response.status_code}: redirects are not followed"
        elif not response.is_success:
            problem = f"it answered {response.status_code}"
        asked = response.headers.get("Retry-After")
        return Attempt(
            status=response.status_code,
            problem=problem,
            answer=answer.decode("utf-8", "replace"),
            retry_after=None if asked is None else retry_after(asked, self._clock.now()),
        )


async def _beginning(response: httpx.Response) -> bytes:
    """Return the beginning of a body; one that breaks off is as long as it is."""
    read = bytearray()
    with contextlib.suppress(httpx.HTTPError):
        async for piece in response.aiter_raw(ANSWER_BYTES):
            read += piece
            if len(read) >= ANSWER_BYTES:
                break
    return bytes(read[:ANSWER_BYTES])


def _told(error: Exception) -> str:
    """Return in a sentence why there was no answer."""
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return f"no connection: {said}"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"no HTTP answer: {said}"
    return f"the connection broke: {said}"
