"""Who sends: a write key or a source, found by a secret in a time that says nothing of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar

from streams.serve.limits import HEADERS_KEPT
from streams.serve.rates import Bucket
from streams.serve.refusals import Rejected, too_often

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.serve.settings import Limits, WriteKey

_BASIC = "basic "
L = TypeVar("L", bound="Limits")


class Sender(Generic[L]):
    """A key or a source with what is left of its rates."""

    def __init__(self, name: str, given: L, now_s: float) -> None:
        self.name = name
        self.given = given
        self._requests = Bucket(given.requests_per_second, now_s)
        self._bytes = Bucket(given.bytes_per_second, now_s)

    def admit(self, size: int, now_s: float) -> None:
        """Count a request with a body of so many bytes; Rejected (429) if it is one too many."""
        wait_s = self._requests.wait_s(1, now_s) or self._bytes.wait_s(size, now_s)
        if wait_s:
            raise too_often(wait_s)

    def add(self, size: int) -> None:
        """Count bytes that came besides those of `admit`, such as those that gzip had saved."""
        if size > 0:
            self._bytes.take(size)


class Keys:
    """The write keys, by a hash with a salt of this process: one that is nearly right takes no longer than another."""

    def __init__(self, senders: Iterable[Sender[WriteKey]]) -> None:
        self._salt = os.urandom(16)
        self._by_hash: dict[bytes, tuple[bytes, Sender[WriteKey]]] = {}
        self._by_header: dict[str, Sender[WriteKey]] = {}
        """Headers that were right, which need no decoding again; texts are compared where their salted hashes meet."""
        for sender in senders:
            secret = (sender.given.key or "").encode()
            self._by_hash[self._hash(secret)] = secret, sender

    def find(self, authorization: str | None, in_body: object) -> Sender[WriteKey]:
        """Return who sends, by the header of Basic auth, or else by `writeKey` of the body; Rejected (401)."""
        if authorization is not None and (found := self._by_header.get(authorization)) is not None:
            return found
        given = in_body if authorization is None else _user_of(authorization)
        if isinstance(given, str):
            secret = given.encode(errors="surrogateescape")
            known = self._by_hash.get(self._hash(secret))
            if known is not None and hmac.compare_digest(known[0], secret):
                if authorization is not None and len(self._by_header) < HEADERS_KEPT:
                    self._by_header[authorization] = known[1]
                return known[1]
        raise Rejected(
            HTTPStatus.UNAUTHORIZED,
            "the write key is missing or unknown: send it as the user name of Basic authentication, or as writeKey",
        )

    def _hash(self, secret: bytes) -> bytes:
        return hashlib.blake2b(secret, digest_size=16, key=self._salt).digest()


def _user_of(authorization: str) -> str | None:
    if authorization[: len(_BASIC)].lower() != _BASIC:
        return None
    try:
        user, _, _ = base64.b64decode(authorization[len(_BASIC) :], validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return user
