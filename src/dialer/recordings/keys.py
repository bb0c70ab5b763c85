"""The keys of recordings: each file has one of its own, sealed with a master key from outside."""

from __future__ import annotations

import binascii
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

DATA_KEY_BYTES = 32  # AES-256
WRAPPED_LENGTH = 140
"""Characters of a wrapped data key: a Fernet token of `DATA_KEY_BYTES`."""


class RecordingSealed(Exception):  # noqa: N818 - read as a sentence
    """A recording is sealed with a key that is not at hand; the text says so in a sentence."""


class RecordingKeys:
    """Master keys: the first seals, all open; without any, recordings are kept in clear.

    `keys`: each 32 bytes in URL-safe base64, with white space between. Raises ValueError for
    another.
    """

    def __init__(self, keys: str = "") -> None:
        try:
            made = [Fernet(key) for key in keys.split()]
        except (ValueError, binascii.Error):
            raise ValueError(
                "a key is 32 bytes in URL-safe base64; make one with:"
                " openssl rand -base64 32 | tr +/ -_"
            ) from None
        self._keys = MultiFernet(made) if made else None

    @property
    def sealing(self) -> bool:
        """Whether there are keys, so that recordings are sealed."""
        return self._keys is not None

    def new(self) -> tuple[bytes, str]:
        """Return a fresh data key, and the same wrapped by the first master key.

        The text has `WRAPPED_LENGTH` characters. Raises RecordingSealed where there is no key.
        """
        if self._keys is None:
            raise RecordingSealed("there is no key to seal a recording with")
        key = secrets.token_bytes(DATA_KEY_BYTES)
        return key, self._keys.encrypt(key).decode()

    def open(self, wrapped: str) -> bytes:
        """Return the data key that was wrapped; raises RecordingSealed."""
        if self._keys is None:
            raise RecordingSealed("the recording is sealed, and this process has no key to open it")
        try:
            key = self._keys.decrypt(wrapped.encode())
        except InvalidToken:
            raise RecordingSealed(
                "the recording is sealed with another key than those of this process"
            ) from None
        if len(key) != DATA_KEY_BYTES:
            raise RecordingSealed("the recording's key is none of ours")
        return key
