"""Secrets that have to be read again, sealed with a key from outside of the database.

Without a key they stand as they are. A sealed text is a Fernet token (AES-128-CBC with
HMAC-SHA256) behind a prefix that says so.
"""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

SEALED = "fernet:"


class SecretSealed(Exception):  # noqa: N818 - read as a sentence
    """A secret is sealed with a key that is not at hand; the text says so in a sentence."""


class SecretBox:
    """Seals with the first of `keys`, opens with any; without keys secrets stay as they are.

    A key is 32 bytes in URL-safe base64. Raises ValueError for another.
    """

    def __init__(self, keys: str = "") -> None:
        try:
            made = [Fernet(key) for key in keys.split()]
        except ValueError:
            raise ValueError(
                "a key is 32 bytes in URL-safe base64; make one with:"
                " openssl rand -base64 32 | tr +/ -_"
            ) from None
        self._keys = MultiFernet(made) if made else None

    def seal(self, secret: str) -> str:
        """Return what is to be stored."""
        if self._keys is None:
            return secret
        return SEALED + self._keys.encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """Return the secret; raises SecretSealed."""
        if not stored.startswith(SEALED):
            return stored
        if self._keys is None:
            raise SecretSealed("the signing secret is sealed, and this node has no key to open it")
        try:
            return self._keys.decrypt(stored.removeprefix(SEALED)).decode()
        except InvalidToken:
            raise SecretSealed("the signing secret is sealed with another key") from None

    def renewed(self, stored: str) -> str | None:
        """Return `stored` sealed with the first key, None where there is no key.

        Raises SecretSealed.
        """
        secret = self.open(stored)
        return None if self._keys is None else self.seal(secret)
