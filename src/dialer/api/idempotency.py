"""Idempotency keys over HTTP (draft-ietf-httpapi-idempotency-key-header): reading and sealing.

The key itself is kept nowhere. Its hash finds the request; the answer, which may hold a secret or
what is about a person, is sealed with it, so that only who sends the key again can read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING

from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dialer.api.problem import Problem
from dialer.store.idempotency import Key

if TYPE_CHECKING:
    from dialer.store.idempotency import KeyedRequest

HEADERS = ("Idempotency-Key", "Idempotence-Key")
METHODS = frozenset({"POST", "PATCH"})  # the others are idempotent as they are
REPEATED = "Idempotent-Replayed"
KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Allow", "Accept")
NONCE_BYTES = 12
# The state of the moment and not of the request: another try may end otherwise.
PASSING = frozenset({408, 425, 429})

_KEY = re.compile(r'(?P<mark>"?)(?P<key>[\x20\x21\x23-\x7e]{1,255})(?P=mark)')


def key_of(request: web.Request) -> str | None:
    """Return the key that a request was sent with; raises Problem (400) for what is none."""
    given = [value for name in HEADERS for value in request.headers.getall(name, [])]
    if not given or request.method not in METHODS:
        return None
    found = [_KEY.fullmatch(value.strip()) for value in given]
    keys = {match["key"] for match in found if match is not None}
    if None in found or len(keys) != 1:
        raise Problem(
            400,
            "the request needs exactly one Idempotency-Key, of 1 to 255 printable ASCII characters;"
            " take a new UUID for each request",
        )
    return keys.pop()


def stored_key(account_id: int, key: str) -> Key:
    """Return what is kept of a key."""
    return Key(account_id, hashlib.sha256(f"{account_id}:{key}".encode()).digest())


def fingerprint(request: web.Request, body: bytes, file_name: str) -> bytes:
    """Return what tells a request from others; `body` is the SHA-256 of its body or file."""
    what = (request.method, request.raw_path, request.content_type, file_name, body.hex())
    return hashlib.sha256(json.dumps(what).encode()).digest()


def is_kept(status: int) -> bool:
    """Whether an answer is kept: it is done, or would be refused again."""
    return status < 500 and status not in PASSING


def seal(key: str, account_id: int, answer: web.Response) -> bytes:
    """Return the headers and the body of an answer, readable only by who knows the key."""
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    body = answer.body
    assert body is None or isinstance(body, bytes)
    nonce = os.urandom(NONCE_BYTES)
    text = json.dumps(headers).encode() + b"\n" + (body or b"")
    return nonce + _cipher(key, account_id).encrypt(nonce, text, None)


def repeated(key: str, account_id: int, known: KeyedRequest) -> web.Response:
    """Return the answer to a request once more."""
    assert known.status is not None
    assert known.answer is not None
    nonce, sealed = known.answer[:NONCE_BYTES], known.answer[NONCE_BYTES:]
    headers, _, body = _cipher(key, account_id).decrypt(nonce, sealed, None).partition(b"\n")
    return web.Response(
        status=known.status, headers=json.loads(headers) | {REPEATED: "true"}, body=body or None
    )


def _cipher(key: str, account_id: int) -> AESGCM:
    salt = account_id.to_bytes(8)
    return AESGCM(HKDF(SHA256(), 32, salt, b"answer of an idempotent request").derive(key.encode()))
