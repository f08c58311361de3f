"""A person asks what is known of a customer's consent, what was known at a time, and why a message went out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schemas.outputs import Trigger
from schemas.touchpoint import Consent
from schemas.wire import SINGLE_OBJECT
from tests.support.flows import a_bare_flow
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import asked
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, a_touchpoint, an_add

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., str]

pytestmark = pytest.mark.acceptance

ADDRESS = "ab12cd34" + "e" * 56
UNCAPPED = {"per_channel_hours": 0, "per_week": 100}
STEPS = [{"name": "message", "do": "trigger", "offer": "save_5"}]
NEWS = a_bare_flow("news", "product_added", caps=UNCAPPED, exits=[], steps=STEPS)


@pytest.fixture
def worker() -> MemoryWorker:
    return MemoryWorker(
        configured(
            clock="marks",
            touchpoint_partitions=1,
            journal_partitions=3,
            consent_default="denied",
            server_sources=("shop",),
            flows=(NEWS,),
        )
    )


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, worker: MemoryWorker) -> Ask:
    def command(*arguments: str, exit_code: int = 0) -> str:
        done = asked(monkeypatch, worker, *arguments)
        assert done.exit_code == exit_code, done.output
        return str(done.output)

    return command


def say(worker: MemoryWorker, at_ms: int, received_ms: int, *, granted: bool, **fields: Any) -> None:
    said = Consent(fields.pop("channel", "email"), granted=granted, purpose=fields.pop("purpose", None))
    worker.send(a_touchpoint("consent_changed", at_ms, consent=said, **{"email_hash": ADDRESS, **fields}), received_ms)


def sent(worker: MemoryWorker) -> list[Trigger]:
    worker.commit()
    found = [SINGLE_OBJECT.decode(each.value or b"") for each in worker.outputs if each.topic == "memory.triggers"]
    return [each for each in found if isinstance(each, Trigger)]


def test_what_was_known_at_a_time_leaves_out_what_came_in_later(worker: MemoryWorker, ask: Ask) -> None:
    say(worker, START_MS, START_MS, granted=True, source="shop")
    # valid an hour later, but the phone was offline for a day
    say(worker, START_MS + HOUR_MS, START_MS + DAY_MS, granted=False, source="app")
    worker.commit()
    now = ask("consent", "1")
    assert "email promotional to ab12cd34...: no. It was withdrawn, and no grant is later" in now
    assert "by app (any clock), received 2026-01-02 00:00 UTC" in now
    then = ask("consent", "1", "--at", "2026-01-01T12:00")
    assert "email promotional to ab12cd34...: yes. It was granted, and not withdrawn." in then
    assert "by shop (a server's clock)" in then
    assert "app" not in then
    before = ask("consent", "1", "--at", str(START_MS - 1))
    assert "no. Nothing was said, and without a statement it is denied." in before
    assert "No statement is known." in before
    assert ADDRESS not in now + then + before


def test_a_grant_whose_clock_may_be_wrong_is_named(worker: MemoryWorker, ask: Ask) -> None:
    say(worker, START_MS + HOUR_MS, START_MS + HOUR_MS, granted=True, source="app")
    say(worker, START_MS, START_MS + DAY_MS, granted=False, source="shop")
    worker.commit()
    assert "no. It was withdrawn. A grant of a later time came in no later" in ask("consent", "1")


def test_one_channel_and_purpose_may_be_asked_for(worker: MemoryWorker, ask: Ask) -> None:
    say(worker, START_MS, START_MS, granted=True, source="shop", purpose="service")
    say(worker, START_MS + 1, START_MS + 1, granted=False, source="shop", channel="sms", email_hash=None)
    worker.commit()
    assert "sms promotional: no. It was withdrawn, and not granted." in ask("consent", "1", "--channel", "sms")
    service = ask("consent", "1", "--purpose", "service", "--channel", "email")
    assert "email service to ab12cd34...: yes." in service
    assert "promotional" not in service


def test_it_says_how_far_back_it_reaches(worker: MemoryWorker, ask: Ask) -> None:
    say(worker, START_MS, START_MS, granted=True, source="shop")
    worker.commit()
    assert "All statements are here." in ask("consent", "1")
    for number in range(1, 30):
        at_ms = START_MS + number * DAY_MS
        say(worker, at_ms, at_ms, granted=number % 2 == 0, source="shop")
    worker.commit()
    shown = ask("consent", "1")
    assert "All statements since 2026-01-11 00:00 UTC are here. Of older ones only those" in shown


def test_each_message_names_the_statement_on_which_it_rested(worker: MemoryWorker, ask: Ask) -> None:
    say(worker, START_MS, START_MS + MINUTE_MS, granted=True, source="shop")
    worker.pass_time(START_MS + HOUR_MS - 1)
    worker.send(an_add(START_MS + HOUR_MS))
    worker.pass_time(START_MS + 2 * HOUR_MS)
    (trigger,) = sent(worker)
    # it comes in late, and was valid before the message went out
    say(worker, START_MS + 2 * MINUTE_MS, START_MS + DAY_MS, granted=False, source="shop")
    worker.commit()
    shown = ask("consent", "1", "--trigger", trigger.trigger_id)
    said = "It rested on what was said of email for the purpose promotional for the address ab12cd34... by shop"
    assert f"{said} on 2026-01-01 00:00 UTC, received on 2026-01-01 00:01 UTC." in shown
    assert "late_withdrawal. The message had gone out when a withdrawal came in" in shown
    assert said in ask("explain", "1")
    assert "no trigger nothing" in ask("consent", "1", "--trigger", "nothing", exit_code=2)


def test_the_default_of_a_country_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    given = configured(
        clock="marks",
        touchpoint_partitions=1,
        journal_partitions=1,
        consent_default="denied",
        consent_default_by_country={"US": "granted"},
        flows=(NEWS,),
    )
    worker = MemoryWorker(given)
    worker.pass_time(START_MS - 1)
    worker.send(an_add(START_MS, country="US"))
    worker.pass_time(START_MS + HOUR_MS)
    shown = asked(monkeypatch, worker, "consent", "1").stdout
    assert "email promotional: yes. Nothing was said, and without a statement it is granted in US." in shown
    (trigger,) = sent(worker)
    shown = asked(monkeypatch, worker, "consent", "1", "--trigger", trigger.trigger_id).stdout
    assert "It rested on no statement, but on what holds without one in US." in shown


def test_json_has_what_is_shown(worker: MemoryWorker, ask: Ask) -> None:
    say(worker, START_MS, START_MS, granted=True, source="shop")
    worker.commit()
    answer = msgspec.json.decode(ask("consent", "1", "--json"))
    assert (answer["customer"], answer["reaches_ms"], answer["is_known"]) == ("u:1", 0, True)
    (conclusion,) = answer["conclusions"]
    assert (conclusion["is_allowed"], conclusion["address"]) == (True, "ab12cd34...")
    assert conclusion["statement"]["received_ms"] == START_MS


def test_who_is_not_known_is_said_and_a_merged_one_is_followed(worker: MemoryWorker, ask: Ask) -> None:
    assert "there is no such customer in prefix memory" in ask("consent", "1", exit_code=1)
    assert "write u:USER_ID" in ask("consent", "o:1", exit_code=2)
    assert "write a time such as" in ask("consent", "1", "--at", "yesterday", exit_code=2)
    assert "--trigger is given with --at" in ask("consent", "1", "--at", "1", "--trigger", "t", exit_code=2)
    say(worker, START_MS, START_MS, granted=True, source="shop")
    worker.send(a_touchpoint("page_viewed", START_MS, "2"))
    linked = a_touchpoint("identity_linked", START_MS + 1, "1", properties={"previous_id": "2"})
    worker.send(linked)
    worker.commit()
    assert "u:2 has been merged into u:1, whose consent this is." in ask("consent", "2")
