"""How a request to /in/<source> proves that it comes from its source."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from streams.serve.signatures import KINDS, is_same, verify
from streams.serve.unproven import Unproven

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Proof = Callable[[str, Mapping[str, str], bytes, float], bytes]
    """Takes the secret, headers with names in small letters, the body as it came, and the time in unix seconds. It
    returns what names the request, so that it is not accepted again, or nothing; it raises Unproven."""


def _bearer(secret: str, headers: Mapping[str, str], _body: bytes, _now_s: float) -> bytes:
    given = headers.get("authorization", "")
    if given[:7].lower() != "bearer " or not is_same(given[7:], secret):
        raise Unproven("the header Authorization has to be Bearer and the key of the source")
    return b""


def _basic(secret: str, headers: Mapping[str, str], _body: bytes, _now_s: float) -> bytes:
    """`secret` is user:password."""
    expected = base64.b64encode(secret.encode()).decode()
    given = headers.get("authorization", "")
    if given[:6].lower() != "basic " or not is_same(given[6:], expected):
        raise Unproven("the header Authorization has to be Basic with the user and the password of the source")
    return b""


def _hmac(secret: str, headers: Mapping[str, str], body: bytes, _now_s: float) -> bytes:
    given = headers.get("x-signature", "").removeprefix("sha256=")
    if not is_same(given.lower(), hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()):
        raise Unproven(
            "the header X-Signature has to be the HMAC-SHA256 of the body with the key of the source, in hex"
        )
    return b""


def prove(kind: str, secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bytes:
    """Check that a request comes from its source; return what names it, or nothing.

    Raises:
        Unproven: the message says what is missing or wrong.
    """
    if kind in KINDS:
        return verify(kind, secret, headers, body, now_s)
    return _OWN[kind](secret, {name.lower(): value for name, value in headers.items()}, body, now_s)


_OWN: Final[dict[str, Proof]] = {"bearer": _bearer, "basic": _basic, "hmac": _hmac}
PROOFS: Final = (*_OWN, *KINDS)
"""The names that `verify` of a source may have."""
