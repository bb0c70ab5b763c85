"""Recordings in a bucket of S3, or of another store that speaks as it does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from dialer.recordings.place import NotThere, PlaceError, RecordingPlace, checked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from obstore.store import ClientConfig, S3Config

PIECE = 1024 * 1024  # bytes of one request, which so ends in time however slowly they are used
PART = 5 * 1024 * 1024  # bytes of one request of a file that is sent in parts, the least of S3
AT_ONCE = 2  # parts under way
CONNECT, REQUEST, PATIENCE = 5, 60, dt.timedelta(seconds=30)  # seconds; until no retry is begun
RETRIES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is and who may use it.

    `endpoint` is a URL, empty for Amazon's; without an access key the credentials are those of
    the machine or container, as Amazon gives them. `path_style` puts the bucket's name into the
    path and not into the host. `authorities`: certificates to trust besides, PEM.
    """

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    access_key: str = ""
    secret_key: str = dataclasses.field(default="", repr=False)
    session_token: str = dataclasses.field(default="", repr=False)
    authorities: bytes = b""

    def __str__(self) -> str:
        where = f"s3://{self.name}/{self.prefix}".rstrip("/")
        return f"{where} at {self.endpoint}" if self.endpoint else where


class BucketPlace(RecordingPlace):
    """Objects below a prefix of a bucket; requests that fail for a moment are sent again."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=_config(bucket),
            client_options=_client(bucket),
            retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        )

    def __str__(self) -> str:
        return str(self._bucket)

    async def put(self, key: str, file: Path) -> None:
        """Keep a copy of `file`; raises PlaceError."""
        name = checked(key)
        try:
            await self._store.put_async(name, file, chunk_size=PART, max_concurrency=AT_ONCE)
        except (BaseError, OSError) as error:
            raise self._failure("written", error) from None

    async def delete(self, key: str) -> None:
        """Delete what is there under the key; raises PlaceError."""
        try:
            await self._store.delete_async(checked(key))
        except (BaseError, OSError) as error:
            raise self._failure("deleted", error) from None

    async def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from `start` up to `end`; raises NotThere and PlaceError."""
        while start < end:
            behind = min(end, start + PIECE)
            try:
                piece = await self._store.get_range_async(checked(key), start=start, end=behind)
            except FileNotFoundError:
                raise NotThere(f"there is no {key} in {self}") from None
            except (BaseError, OSError) as error:
                if " 416 " in str(error):  # it ends before `start`
                    return
                raise self._failure("read", error) from None
            yield bytes(piece)
            start += len(piece)
            if start < behind:
                return

    def _failure(self, done: str, error: Exception) -> PlaceError:
        return PlaceError(f"a recording cannot be {done} in {self}: {_reason(error)}")


def _config(bucket: Bucket) -> S3Config:
    config: S3Config = {
        "region": bucket.region,
        "virtual_hosted_style_request": not bucket.path_style,
        "disable_bulk_delete": True,  # which not every store can do
    }
    if bucket.endpoint:
        url = urlsplit(bucket.endpoint)
        host = url.netloc if bucket.path_style else f"{bucket.name}.{url.netloc}"
        config["endpoint"] = f"{url.scheme}://{host}{url.path}".rstrip("/")
    if bucket.access_key:
        config["access_key_id"] = bucket.access_key
        config["secret_access_key"] = bucket.secret_key
    if bucket.session_token:
        config["session_token"] = bucket.session_token
    return config


def _client(bucket: Bucket) -> ClientConfig:
    client: ClientConfig = {
        "allow_http": bucket.endpoint.startswith("http:"),
        "connect_timeout": f"{CONNECT}s",
        "timeout": f"{REQUEST}s",
    }
    if bucket.authorities:
        client["root_certificate"] = bucket.authorities
    return client


def _reason(error: Exception) -> str:
    """Return what a store said in one line, with what to do."""
    text = str(error)
    said = re.search(r"<Code>(\w+)</Code>", text) or re.search(r'message: "([^"]+)"', text)
    first = text.partition("\n")[0].rpartition(" - ")[2]
    reason = said[1] if said else first[:200]
    if certificate := re.search(r"InvalidCertificate\(\s*(\w+)", text):
        return f"its certificate is not trusted ({certificate[1]}); see recordings.ca_file"
    if isinstance(error, FileNotFoundError):
        return f"{reason}; see that there is such a bucket"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or " 403 " in text:
        return f"{reason}; see whether the access key is right and may read, write and delete there"
    return f"{reason}; see whether recordings.endpoint is right and can be reached"
