"""A webhook is let in only with its provider's own signature, and only once."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from streams.serve.signatures import AHEAD_S, KINDS, OLD_S, Replays, verify
from streams.serve.sns import is_of_sns, to_confirm
from streams.serve.unproven import Unproven

NOW_S = 1_767_225_600.0
SECRET = "a-secret-of-the-source"  # noqa: S105 - of no source
BODY = b'{"id": 1, "name": "Ann"}'
TOPIC_ARN = "arn:aws:sns:eu-west-1:123456789012:mail-events"
CERT_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def sns_secret(topic: str = TOPIC_ARN) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = x509.CertificateBuilder(name, name, rsa_key().public_key(), 1, day, day + dt.timedelta(days=365))
    pem = built.sign(rsa_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return f"{topic}\n{pem}"


def sendgrid_secret() -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(ec_key().public_key().public_bytes(serialization.Encoding.DER, spki)).decode()


def hmac_of(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def a_request(kind: str, at_s: float = NOW_S, **changed: Any) -> tuple[str, dict[str, str], bytes]:
    """Secret, headers and body of a request that proves where it comes from; `changed` are fields of the body."""
    stamp = str(int(at_s))
    if kind == "shopify":
        return SECRET, {"X-Shopify-Hmac-SHA256": hmac_of(BODY), "X-Shopify-Topic": "orders/create"}, BODY
    if kind == "woocommerce":
        return SECRET, {"X-WC-Webhook-Signature": hmac_of(BODY), "X-WC-Webhook-Topic": "order.created"}, BODY
    if kind == "sendgrid":
        signature = ec_key().sign(stamp.encode() + BODY, ec.ECDSA(hashes.SHA256()))
        names = ("X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp")
        return sendgrid_secret(), dict(zip(names, (base64.b64encode(signature).decode(), stamp), strict=True)), BODY
    if kind == "mailgun":
        token = "ae89e00bb1a17bc30fa4f02d7b1a9d3b7cab3e5a0e9e5d4e2d"  # noqa: S105 - it is random
        signature_hex = hmac.digest(SECRET.encode(), (stamp + token).encode(), hashlib.sha256).hex()
        signed = {"timestamp": stamp, "token": token, "signature": signature_hex, **changed}
        return SECRET, {}, json.dumps({"signature": signed, "event-data": {"id": "e"}}).encode()
    if kind == "ses":
        return sns_secret(), {}, json.dumps(sns_message(at_s, **changed)).encode()
    return "user:password", {"Authorization": "Basic " + base64.b64encode(b"user:password").decode()}, BODY


def sns_message(at_s: float = NOW_S, kind: str = "Notification", version: str = "2", **changed: Any) -> dict[str, Any]:
    message = {
        "Type": kind,
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC_ARN,
        "Message": '{"eventType":"Open"}',
        "Timestamp": dt.datetime.fromtimestamp(at_s, dt.UTC).isoformat().replace("+00:00", ".000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERT_URL,
    }
    if kind != "Notification":
        message |= {"Token": "2336412f", "SubscribeURL": f"{CERT_URL}?Action=ConfirmSubscription"}
    message |= {name: value for name, value in changed.items() if name in {"TopicArn", "Subject"}}
    names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - SNS's version 1
    signature = rsa_key().sign(signed.encode(), padding.PKCS1v15(), digest)
    return message | {"Signature": base64.b64encode(signature).decode()} | changed


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_with_its_signature_is_let_in(kind: str) -> None:
    secret, headers, body = a_request(kind)
    verify(kind, secret, headers, body, NOW_S)
    verify(kind, secret, {name.upper(): value for name, value in headers.items()}, body, NOW_S)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_key_or_with_another_one_nothing_is_let_in(kind: str) -> None:
    _, headers, body = a_request(kind)
    for secret in ("", "another", "user:other", sendgrid_secret()[:-8] + "AAAAAAA=", TOPIC_ARN):
        with pytest.raises(Unproven) as refused:
            verify(kind, secret, headers, body, NOW_S)
        assert secret == "" or secret not in str(refused.value)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"postmark", "mailgun"}))
def test_a_changed_body_is_not_let_in(kind: str) -> None:
    secret, headers, body = a_request(kind)
    for changed in (body.replace(b"Ann", b"Bob").replace(b"Open", b"Sent"), body[:-1], b"", b"[]", b"{"):
        with pytest.raises(Unproven):
            verify(kind, secret, headers, changed, NOW_S)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"mailgun", "ses"}))
def test_a_changed_or_missing_header_is_not_let_in(kind: str) -> None:
    secret, headers, body = a_request(kind)
    for name in headers:
        if name.endswith("Topic"):
            continue
        for value in (None, "", "x", "\u00e9", headers[name][:-2], headers[name] + "A", "A" * 100_000):
            given = {**headers, name: value} if value is not None else {n: v for n, v in headers.items() if n != name}
            with pytest.raises(Unproven):
                verify(kind, secret, given, body, NOW_S)


@pytest.mark.parametrize("kind", OLD_S)
def test_a_signature_grows_old(kind: str) -> None:
    secret, headers, body = a_request(kind)
    verify(kind, secret, headers, body, NOW_S + OLD_S[kind])
    verify(kind, secret, headers, body, NOW_S - AHEAD_S)
    for at_s in (NOW_S + OLD_S[kind] + 1, NOW_S - AHEAD_S - 1):
        with pytest.raises(Unproven, match="hours old"):
            verify(kind, secret, headers, body, at_s)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"postmark"}))
def test_a_replay_is_refused_once_the_request_was_accepted(kind: str) -> None:
    replays = Replays()
    secret, headers, body = a_request(kind)
    for _ in range(2):
        # a provider repeats what we could not write
        replays.check(verify(kind, secret, headers, body, NOW_S))
    replays.accepted(verify(kind, secret, headers, body, NOW_S))
    with pytest.raises(Unproven, match="replay"):
        replays.check(verify(kind, secret, headers, body, NOW_S))


def test_a_token_of_mailgun_proves_nothing_of_another_body() -> None:
    replays = Replays()
    secret, headers, body = a_request("mailgun")
    replays.accepted(verify("mailgun", secret, headers, body, NOW_S))
    forged = body.replace(b'"e"', b'"other"')
    with pytest.raises(Unproven, match="replay"):
        replays.check(verify("mailgun", secret, headers, forged, NOW_S))


def test_one_body_under_two_topics_is_no_replay() -> None:
    replays = Replays()
    secret, headers, body = a_request("shopify")
    replays.accepted(verify("shopify", secret, headers, body, NOW_S))
    replays.check(verify("shopify", secret, {**headers, "X-Shopify-Topic": "orders/paid"}, body, NOW_S))


def test_what_is_remembered_is_bounded() -> None:
    replays = Replays(most=10)
    for number in range(100):
        replays.accepted(bytes([number]))
    assert len(replays) == 10
    replays.check(bytes([0]))
    replays.accepted(b"")
    replays.check(b"")


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_messages_of_sns_in_both_versions(kind: str, version: str) -> None:
    body = json.dumps(sns_message(kind=kind, version=version)).encode()
    verify("ses", sns_secret(), {}, body, NOW_S)


def test_a_subject_is_signed_too() -> None:
    body = json.dumps(sns_message(Subject="Amazon SES Email Event Notification")).encode()
    verify("ses", sns_secret(), {}, body, NOW_S)
    with pytest.raises(Unproven, match="Signature"):
        verify("ses", sns_secret(), {}, body.replace(b"Event Not", b"Other Not"), NOW_S)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"TopicArn": TOPIC_ARN.replace("1234", "9999")}, "TopicArn"),
        ({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"}, "SigningCertURL"),
        ({"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/x.pem"}, "SigningCertURL"),
        ({"SigningCertURL": None}, "SigningCertURL"),
        ({"SignatureVersion": "3"}, "SignatureVersion"),
        ({"SignatureVersion": None}, "SignatureVersion"),
        ({"Signature": "%%%"}, "Signature"),
        ({"Signature": 7}, "Signature"),
        ({"Type": "Other"}, "Type"),
        ({"Type": ["Notification"]}, "Type"),
        ({"Message": {}}, "Message"),
        ({"Timestamp": "yesterday"}, "Signature"),
    ],
)
def test_what_is_wrong_with_a_message_of_sns_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(Unproven, match=named):
        verify("ses", sns_secret(), {}, json.dumps(sns_message() | changed).encode(), NOW_S)


@pytest.mark.parametrize(
    ("url", "is_theirs"),
    [
        (CERT_URL, True),
        ("https://sns.us-gov-west-1.amazonaws.com/a.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", True),
        ("https://sns.amazonaws.com/a.pem", False),
        ("https://user@sns.eu-west-1.amazonaws.com/a.pem", False),
        ("https://sns.eu-west-1.amazonaws.com:8443/a.pem", False),
        ("https://sns.eu-west-1.amazonaws.com@evil.example/a.pem", False),
        ("https://evil.example/sns.eu-west-1.amazonaws.com/a.pem", False),
        ("https://[sns.eu-west-1.amazonaws.com/a.pem", False),
        ("file:///etc/passwd", False),
        (7, False),
    ],
)
def test_which_addresses_are_of_sns(url: object, is_theirs: bool) -> None:  # noqa: FBT001 - a case
    assert is_of_sns(url) == is_theirs


def test_a_person_confirms_a_subscription() -> None:
    asked = to_confirm(sns_message(kind="SubscriptionConfirmation"))
    assert asked is not None
    assert "if the topic is yours, open https://sns.eu-west-1" in asked
    assert to_confirm(sns_message()) is None
    lured = to_confirm(sns_message(kind="SubscriptionConfirmation") | {"SubscribeURL": "https://evil.example"})
    assert lured is not None
    assert "evil" not in lured
