"""Messages of Amazon SNS: their signature, and what a person has to confirm.

Certificates are files that a person has put in place. One that a message names is never fetched: who can make us fetch
an address can make us reach what only we can. Any account of Amazon can let SNS sign a message, so the topic has to be
the one of the source as well.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from streams.serve.unproven import Unproven

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

NOTIFICATION: Final = "Notification"
SUBSCRIPTION: Final = "SubscriptionConfirmation"
_END: Final = "UnsubscribeConfirmation"
_SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    _END: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""The fields that are signed, in order; a message need not have a subject."""
_HOST: Final = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?", re.ASCII)
_ARN: Final = re.compile(r"arn:aws[a-z-]{0,12}:sns:[a-z0-9-]{1,32}:[0-9]{12}:[A-Za-z0-9_.-]{1,256}", re.ASCII)
_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,16000}-----END CERTIFICATE-----", re.ASCII
)
_TIME_CHARS_MAX: Final = 40
_SIGNATURE_CHARS_MAX: Final = 2_048
_KEYS: Final = "its first line has to be the ARN of the topic, with certificates of Amazon SNS in PEM below it"


def verified_by_sns(secret: str, document: dict[str, Any]) -> float:
    """Check the signature of a message, and return when SNS wrote it, in seconds since 1970.

    Raises:
        Unproven: no certificate of the source made it, it is of another topic, or a field is wrong.
    """
    topic, certificates = _pinned(secret)
    kind = document.get("Type")
    fields = _SIGNED.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise Unproven(f"Type has to be one of {', '.join(_SIGNED)}")
    if document.get("TopicArn") != topic:
        raise Unproven("TopicArn is not the topic of the source")
    if not is_of_sns(document.get("SigningCertURL")):
        raise Unproven("SigningCertURL has to be https, and of sns.<region>.amazonaws.com")
    _check_signature(document, _text_of(document, fields), certificates)
    return _seconds(document.get("Timestamp"))


def is_of_sns(url: object) -> bool:
    """Return whether an address is of Amazon SNS: https, its host, and nothing before or behind that."""
    if not isinstance(url, str):
        return False
    try:
        scheme, host, path, _, _ = urlsplit(url)
    except ValueError:
        return False
    return scheme == "https" and _HOST.fullmatch(host) is not None and path.startswith("/")


def to_confirm(document: dict[str, Any]) -> str | None:
    """Return what a person has to do with a message whose signature was checked; None: nothing.

    We do not open the address ourselves: a person decides whether this topic is theirs.
    """
    if document.get("Type") != SUBSCRIPTION:
        return None
    url = document.get("SubscribeURL")
    if not is_of_sns(url):
        return "Amazon SNS asks to confirm a subscription, but its address is none of Amazon SNS: don't open it"
    return f"Amazon SNS sends nothing until you confirm the subscription: if the topic is yours, open {url} once"


def _pinned(secret: str) -> tuple[str, list[Certificate]]:
    topic, _, rest = secret.strip().partition("\n")
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - an extra has it

    try:
        certificates = [load_pem_x509_certificate(each.encode()) for each in _CERTIFICATE.findall(rest)]
    except ValueError:
        certificates = []
    if _ARN.fullmatch(topic.strip()) is None or not certificates:
        raise Unproven(f"the key of the source is not complete: {_KEYS}")
    return topic.strip(), certificates


def _text_of(document: dict[str, Any], fields: tuple[str, ...]) -> bytes:
    lines = []
    for name in fields:
        value = document.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            raise Unproven(f"{name} has to be a text")
        lines.append(f"{name}\n{value}\n")
    return "".join(lines).encode(errors="replace")


def _check_signature(document: dict[str, Any], signed: bytes, certificates: list[Certificate]) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra has it
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256  # noqa: PLC0415

    given, version = document.get("Signature"), document.get("SignatureVersion")
    if version not in {"1", "2"}:
        raise Unproven("SignatureVersion has to be 1 or 2")
    if not isinstance(given, str) or len(given) > _SIGNATURE_CHARS_MAX:
        raise Unproven("Signature has to be a text in base64")
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise Unproven("Signature has to be a text in base64") from None
    # version 1 is SHA-1 by Amazon's choice; a topic can be set to use version 2
    digest = SHA1() if version == "1" else SHA256()  # noqa: S303
    for certificate in certificates:
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            continue
        try:
            key.verify(signature, signed, PKCS1v15(), digest)
        except InvalidSignature:
            continue
        return
    raise Unproven(
        "Signature: no certificate of the source made it. Amazon changes its certificate now and then: add the new one"
    )


def _seconds(stamp: object) -> float:
    if not isinstance(stamp, str) or len(stamp) > _TIME_CHARS_MAX:
        raise Unproven("Timestamp has to be ISO 8601")
    try:
        time = datetime.fromisoformat(stamp)
    except ValueError:
        raise Unproven("Timestamp has to be ISO 8601") from None
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
