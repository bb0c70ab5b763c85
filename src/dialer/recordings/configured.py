"""The place and the keys of recordings, as the configuration names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dialer.recordings.bucket_place import Bucket, BucketPlace
from dialer.recordings.folder_place import FolderPlace
from dialer.recordings.keys import RecordingKeys

if TYPE_CHECKING:
    from dialer.config import Config
    from dialer.recordings.place import RecordingPlace


def keys_of(settings: Config) -> RecordingKeys:
    """Return what seals recordings; raises ConfigError."""
    section = settings.recordings
    keys = settings.secret(env=section.keys_env, file=section.keys_file, needed_by="recordings")
    try:
        return RecordingKeys(keys or "")
    except ValueError as error:
        key = "keys_file" if section.keys_file else "keys_env"
        raise settings.mistake(("recordings", key), str(error)) from None


def place_of(settings: Config) -> RecordingPlace:
    """Return where recordings are kept, without having looked there; raises ConfigError."""
    section = settings.recordings
    named = section.bucket()
    if named is None:
        return FolderPlace(settings.path(Path(section.place)))
    name, prefix = named
    access_key = settings.secret(
        env=section.access_key_env, file=section.access_key_file, needed_by="recordings"
    )
    secret_key = settings.secret(
        env=section.secret_key_env, file=section.secret_key_file, needed_by="recordings"
    )
    if bool(access_key) != bool(secret_key):
        missing = "secret_key_env" if access_key else "access_key_env"
        raise settings.mistake(
            ("recordings", missing),
            "an access key and its secret key belong together; one is not set",
        )
    if section.endpoint and not access_key:
        raise settings.mistake(
            ("recordings", "access_key_env"),
            f"the environment variable {section.access_key_env} is not set, nor is there a file:"
            f" {section.endpoint} needs an access key",
        )
    # it belongs to the access key that stands beside it in the environment
    token_env = None if section.access_key_file else section.session_token_env
    token = settings.secret(env=token_env, file=None, needed_by="recordings")
    bucket = Bucket(
        name=name,
        prefix=prefix,
        endpoint=section.endpoint,
        region=section.region,
        path_style=section.path_style,
        access_key=access_key or "",
        secret_key=secret_key or "",
        session_token=token or "",
        authorities=_authorities(settings),
    )
    try:
        return BucketPlace(bucket)
    except ValueError:  # of all that is given, it looks into the certificates alone
        raise settings.mistake(("recordings", "ca_file"), "holds no certificate (PEM)") from None


def _authorities(settings: Config) -> bytes:
    file = settings.recordings.ca_file
    if file is None:
        return b""
    try:
        return settings.path(file).read_bytes()
    except OSError as error:
        raise settings.mistake(
            ("recordings", "ca_file"), f"cannot be read: {error.strerror}"
        ) from None
