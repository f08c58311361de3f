"""Whether a webhook comes from its provider: each provider's own signature, and no request twice.

Comparisons take the same time whatever was sent, and no error quotes a secret, a signature or a body.

Sources: Shopify "Verify webhooks with HMAC"; WooCommerce REST API "Webhooks"; Twilio SendGrid "Event Webhook security
features"; Mailgun "Securing webhooks"; Amazon SNS "Verifying the signatures of messages"; Postmark "Webhooks".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.limits import NESTING_MAX
from schemas.nesting import is_nested_deeper
from streams.serve.sns import verified_by_sns
from streams.serve.unproven import Unproven

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
AHEAD_S: Final = 5 * _MINUTE
"""How far the clock of a provider may be ahead of ours."""
OLD_S: Final[Mapping[str, float]] = {"sendgrid": 24 * _HOUR, "mailgun": 9 * _HOUR, "ses": 6 * _HOUR}
"""How old a signature may be: as long as the provider repeats a request that it could not deliver, and an hour more."""
REPLAYS_MAX: Final = 100_000
"""Requests that are remembered, 16 bytes each: 10 MB, or an hour of 28 requests a second."""
_MADE_OF: Final = "the signature was not made of this body with the key of the source"
_DIGITS_MAX: Final = 12
_SIGNATURE_CHARS_MAX: Final = 2_048


def verify(kind: str, secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bytes:
    """Check that a request proves where it comes from; return what names it, for `Replays`.

    `secret` is the key that the provider's page shows: a text for HMAC, user:password for postmark, the public key in
    base64 for sendgrid, and for ses the ARN of the topic in the first line and certificates in PEM below it.

    Raises:
        Unproven: the message says what is missing or wrong, and what to do.
        KeyError: there is no such kind.
    """
    if not secret:
        raise Unproven("the source has no key, so nobody can prove that they are it")
    lower = {name.lower(): value for name, value in headers.items()}
    return KINDS[kind](secret, lower, body, now_s)


class Replays:
    """The requests that were accepted last, by what names them. One process remembers its own."""

    def __init__(self, most: int = REPLAYS_MAX) -> None:
        self._most = most
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, token: bytes) -> None:
        """Refuse a request that was accepted before.

        Raises:
            Unproven: it was.
        """
        if token and token in self._known:
            raise Unproven("this request was accepted before; a replay is not accepted")

    def accepted(self, token: bytes) -> None:
        """Remember a request, once Kafka has what it brought: a provider may repeat one that failed."""
        if not token:
            return
        self._known[token] = None
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def __len__(self) -> int:
        return len(self._known)


def _shopify(secret: str, headers: Mapping[str, str], body: bytes, _now_s: float) -> bytes:
    return _hmac_base64("X-Shopify-Hmac-Sha256", "X-Shopify-Topic", secret, headers, body)


def _woocommerce(secret: str, headers: Mapping[str, str], body: bytes, _now_s: float) -> bytes:
    return _hmac_base64("X-WC-Webhook-Signature", "X-WC-Webhook-Topic", secret, headers, body)


def _hmac_base64(name: str, topic: str, secret: str, headers: Mapping[str, str], body: bytes) -> bytes:
    made = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    if not is_same(_header(name, headers), made):
        raise Unproven(f"{name}: {_MADE_OF}")
    # one body may come under two topics, as a new order and as a paid one; neither shop signs the topic
    return _token(_header(topic, headers).encode(errors="replace"), body)


def _sendgrid(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bytes:
    name = "X-Twilio-Email-Event-Webhook-Signature"
    signature = _from_base64(_header(name, headers), name)
    stamp = _header("X-Twilio-Email-Event-Webhook-Timestamp", headers)
    _check_age("X-Twilio-Email-Event-Webhook-Timestamp", stamp, now_s, OLD_S["sendgrid"])
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra has it
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        key = load_der_public_key(base64.b64decode(secret, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise Unproven("the key of the source is no verification key of SendGrid: copy it from Signed Event Webhook")
    try:
        key.verify(signature, stamp.encode() + body, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise Unproven(f"{name}: {_MADE_OF}") from None
    # a signature has many forms of the same meaning, the body has one
    return _token(stamp.encode(), body)


def _mailgun(secret: str, _headers: Mapping[str, str], body: bytes, now_s: float) -> bytes:
    document = document_of(body)
    signed = document.get("signature")
    given = signed if isinstance(signed, dict) else {}
    stamp, token, signature = [_text_of(given.get(name)) for name in ("timestamp", "token", "signature")]
    if not (stamp and token and signature):
        raise Unproven("signature has to have timestamp, token and signature, each a text")
    made = hmac.digest(secret.encode(), (stamp + token).encode(errors="replace"), "sha256").hex()
    if not is_same(signature.lower(), made):
        raise Unproven("signature.signature: it was not made of timestamp and token with the key of the source")
    _check_age("signature.timestamp", stamp, now_s, OLD_S["mailgun"])
    # the signature leaves the body out, so a token that came before proves nothing of another body
    return _token(b"mailgun", token.encode(errors="replace"))


def _ses(secret: str, _headers: Mapping[str, str], body: bytes, now_s: float) -> bytes:
    document = document_of(body)
    stamp_s = verified_by_sns(secret, document)
    _check_age("Timestamp", str(int(stamp_s)), now_s, OLD_S["ses"])
    return _token(b"ses", str(document.get("MessageId")).encode(errors="replace"))


def _postmark(secret: str, headers: Mapping[str, str], _body: bytes, _now_s: float) -> bytes:
    """Postmark signs nothing: the password is all the proof, so a replay looks like any other request."""
    given = headers.get("authorization", "")
    expected = base64.b64encode(secret.encode()).decode()
    if given[:6].lower() != "basic " or not is_same(given[6:].strip(), expected):
        raise Unproven("the header Authorization has to be Basic with the user and the password of the source")
    return b""


def is_same(given: str, expected: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def document_of(body: bytes) -> dict[str, Any]:
    """Return a body that is a JSON object.

    Raises:
        Unproven: it is none, so there is no signature in it.
    """
    try:
        found = None if is_nested_deeper(body, NESTING_MAX) else msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise Unproven("the body has to be a JSON object with a signature in it")
    return found


def _text_of(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _SIGNATURE_CHARS_MAX else ""


def _header(name: str, headers: Mapping[str, str]) -> str:
    value = headers.get(name.lower(), "").strip()
    if not value or len(value) > _SIGNATURE_CHARS_MAX:
        raise Unproven(f"the header {name} is missing, or too long")
    return value


def _from_base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unproven(f"{name} is no base64") from None


def _check_age(name: str, stamp: str, now_s: float, old_s: float) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _DIGITS_MAX):
        raise Unproven(f"{name} has to be a time in seconds since 1970")
    age_s = now_s - int(stamp)
    if not -AHEAD_S <= age_s <= old_s:
        hours = old_s / _HOUR
        raise Unproven(
            f"{name} is more than {hours:g} hours old, or ahead of this machine's clock: check the clock here first"
        )


def _token(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


KINDS: Final[Mapping[str, Callable[[str, Mapping[str, str], bytes, float], bytes]]] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "ses": _ses,
    "postmark": _postmark,
}
"""By the name that `verify` of a source has; headers are in lower case."""
