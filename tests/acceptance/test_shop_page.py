"""A shop's page in a real browser, through HTTP and Kafka, to a message; and what became of it, back by webhook."""

from __future__ import annotations

import json
import sys
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.outputs import Trigger
from schemas.touchpoint import PERSON, Message, Touchpoint
from streams.demo.servers.chromium import chromium_command, fetch_chromium
from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.places import PROJECT, in_ci
from streams.demo.servers.server import Server
from tests.support.door_process import DoorProcess
from tests.support.flows import a_reminder
from tests.support.running import Place, a_worker, make_place
from tests.support.watching import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(600)]

KEY = "a-key-that-all-can-read"
PERSONS = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
PAGE = """<!doctype html><title>A mug</title>
<script src="{door}/v1/touchstream.js" data-key="{key}"></script>
<script>
  touchstream.page()
  touchstream.identify("7", {{email: "ada@example.org"}})
  touchstream.track("Product Added", {{sku: "mug", price: 9, quantity: 1, currency: "EUR"}})
</script>
"""


@pytest.fixture
def browser() -> None:
    """Asks for Chromium: skipped where it cannot be had, an error in CI."""
    try:
        fetch_chromium()
    except Unavailable:
        if in_ci():
            raise
        pytest.skip("Chromium is not to be had here")


class Shop:
    """A web server with one page, which is made when it is asked for."""

    def __init__(self) -> None:
        self.page = b""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/mug" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(shop.page if self.path == "/mug" else b"")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def a_shop() -> Iterator[Shop]:
    shop = Shop()
    thread = threading.Thread(target=shop.server.serve_forever)
    thread.start()
    try:
        yield shop
    finally:
        shop.server.shutdown()
        thread.join()
        shop.server.server_close()


@contextmanager
def running(command: list[str], folder: Path, log: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    server = Server(command, folder / log)
    try:
        yield
    finally:
        server.stop()


def the_subscriber(place: Place) -> list[str]:
    named = {"BROKERS": place.settings.brokers, "PREFIX": place.settings.prefix, "INBOX": "inbox.sqlite"}
    program = str(PROJECT / "deploy" / "examples" / "subscriber.py")
    return ["env", *[f"{name}={value}" for name, value in named.items()], sys.executable, program]


def sent(place: Place) -> list[dict[str, Any]]:
    """What the subscriber gave to the provider."""
    lines = (place.folder / "subscriber" / "sent.log").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def journal(place: Place, kind: str) -> list[tuple[str, Touchpoint]]:
    return [(key, each) for key, each in place.keyed("journal", Touchpoint) if each.type == kind]


@pytest.mark.usefixtures("browser")
def test_a_page_brings_a_message_and_its_opening_comes_back_by_webhook(kafka: str, prefix: str, tmp_path: Path) -> None:
    flow = a_reminder(wait={"for": "1s"}, holdout_percent=0)
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=(flow,))
    with a_shop() as shop, a_worker(place):
        keys = {"pages": {"key": KEY, "source": "web", "sender": "browser", "origins": [shop.origin]}}
        provider = ec.generate_private_key(ec.SECP256R1())
        mail = {"door": "sendgrid", "verify": "sendgrid", "key": public_key(provider)}
        with DoorProcess(place, {"keys": keys, "sources": {"mail": mail}}) as door:
            shop.page = PAGE.format(door=door.address, key=KEY).encode()
            visit = chromium_command(tmp_path / "profile", f"{shop.origin}/mug")
            visit.insert(-1, f"--user-agent={PERSONS}")
            with (
                running(the_subscriber(place), tmp_path / "subscriber", "sent.log"),
                running(visit, tmp_path / "browser", "chromium.log"),
            ):
                until(lambda: len(sent(place)) == 1, "the subscriber has sent the message", 120)
            (trigger,) = place.records("triggers", Trigger)
            assert sent(place)[0]["trigger_id"] == trigger.trigger_id
            check_visit(place, shop)
            report(door, trigger, provider)
            until(
                lambda: len(journal(place, "email_opened")) == 2, "the journal has the opening as often as it came", 60
            )
    ((key, source, event_id),) = {(key, each.source, each.event_id) for key, each in journal(place, "email_opened")}
    _, opened = journal(place, "email_opened")[0]
    assert (key, source, event_id, opened.agent) == ("u:7", "mail", "opened-1", PERSON)
    assert opened.message == Message(trigger.trigger_id, "abandoned_cart", 1, trigger.arm)


def check_visit(place: Place, shop: Shop) -> None:
    """What the page said is in the journal, once, as a person's, under one device and then its user."""
    ((_, page),) = journal(place, "page_viewed")
    ((key, added),) = journal(place, "product_added")
    assert (key, added.source, added.agent, added.user_id) == ("u:7", "web", PERSON, "7")
    assert page.anonymous_id == added.anonymous_id
    assert page.page is not None
    assert page.page.url == f"{shop.origin}/mug"
    assert [(each.sku, each.price_minor) for each in added.products] == [("mug", 900)]


def report(door: DoorProcess, trigger: Trigger, provider: ec.EllipticCurvePrivateKey) -> None:
    """As the provider does: signed, with what it was given with the message, and more than once, which counts once."""
    opening = {
        "event": "open",
        "email": "ada@example.org",
        "timestamp": int(time.time()),
        "sg_event_id": "opened-1",
        "useragent": PERSONS,
        "customer": trigger.customer,
        "message_id": trigger.trigger_id,
        "flow_id": trigger.flow_id,
        "flow_version": trigger.flow_version,
        "arm": trigger.arm,
    }
    body = json.dumps([opening]).encode()
    now_s = int(time.time())
    for stamp, expected in ((now_s, 202), (now_s, 401), (now_s - 1, 202)):
        signature = provider.sign(str(stamp).encode() + body, ec.ECDSA(SHA256()))
        name = "X-Twilio-Email-Event-Webhook"
        headers = {f"{name}-Signature": b64encode(signature).decode(), f"{name}-Timestamp": str(stamp)}
        headers["Content-Type"] = "application/json"
        answer = httpx.post(f"{door.address}/in/mail", content=body, headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == expected, answer.text


def public_key(provider: ec.EllipticCurvePrivateKey) -> str:
    """As the provider's page shows it."""
    return b64encode(provider.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
