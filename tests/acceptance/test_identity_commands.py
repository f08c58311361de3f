"""A person links two users, frees a device and undoes a merge, on a real Kafka, and sees that it took effect."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from schemas.outputs import ProfileMerged, ProfileView
from schemas.touchpoint import Order, Touchpoint
from tests.support.commands import refused, run
from tests.support.running import Place, a_worker, make_place, send
from tests.support.watching import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

WHY = ("--why", "they wrote to us", "--by", "ann")


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    return make_place(kafka, prefix, tmp_path, clock="wall", touchpoint_partitions=2, journal_partitions=2)


def an_order(user: str, device: str | None = None) -> Touchpoint:
    at_ms = time.time_ns() // 1_000_000
    order = Order(f"o{user}", "EUR", 4_200)
    return Touchpoint(f"e{user}", "order_completed", at_ms, user_id=user, anonymous_id=device, order=order)


def shown(place: Place, customer: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("identity", "show", customer, "--json", **place.variables).stdout)
    return found


def done(place: Place, *arguments: str) -> str:
    result = run("identity", *arguments, **place.variables)
    assert result.exit_code == 0, result.output
    return result.stdout


def orders_of(place: Place, user: str) -> int | None:
    last = place.last("profiles", ProfileView).get(f"u:{user}")
    return None if last is None else last.orders


def test_a_link_that_was_wrong_is_made_seen_and_undone(place: Place) -> None:
    with a_worker(place):
        send(place, [an_order("1"), an_order("2", "phone")])
        until(lambda: orders_of(place, "1") == orders_of(place, "2") == 1, "both are known", 60)
        assert "u:1 is a customer on their own" in done(place, "show", "1")
        assert "u:2 is not merged" in refused("identity", "undo", "2", *WHY, **place.variables)
        assert "there is no such user" in refused("identity", "link", "1", "9", *WHY, **place.variables)
        assert "u:2 is about to be merged into u:1" in done(place, "link", "2", "1", *WHY)
        until(lambda: place.records("profiles", ProfileMerged), "they are one", 60)
        until(lambda: orders_of(place, "1") == 2, "with both orders", 60)
        assert "u:2, " in done(place, "show", "1")
        assert "by ann: they wrote to us; can be undone until 2" in done(place, "show", "2")
        until(lambda: shown(place, "1")["devices"] == ["a:phone"], "the device came with them", 60)
        assert "u:2 is merged into u:1 already" in refused("identity", "link", "1", "2", *WHY, **place.variables)
        told = done(place, "undo", "2", *WHY, "--wait", "60")
        assert "u:2 is no longer part of u:1" in told
        assert "1 devices, 1 orders" in told
        until(lambda: orders_of(place, "1") == 1, "the survivor has their own", 60)
        assert "u:2 is a customer on their own" in done(place, "show", "2")
        assert shown(place, "a:phone")["users"] == ["u:2"]
        assert "a:phone is about to be freed from u:2" in done(place, "unlink", "a:phone", *WHY)
        until(lambda: shown(place, "a:phone")["users"] == [], "the device is nobody's", 60)
        assert "belongs to no user" in refused("identity", "unlink", "a:phone", *WHY, **place.variables)
        assert "is not merged" in refused("identity", "undo", "2", *WHY, **place.variables)
    verified = run("verify", **place.variables)
    assert verified.exit_code == 0, verified.output


def test_what_is_asked_of_the_wrong_kind_of_key_names_the_right_command(place: Place) -> None:
    assert "only a device is unlinked" in refused("identity", "unlink", "1", *WHY, **place.variables)
    assert "identity unlink" in refused("identity", "undo", "a:phone", *WHY, **place.variables)
    assert "only users are linked" in refused("identity", "link", "a:phone", "1", *WHY, **place.variables)
    assert "write u:USER_ID" in refused("identity", "show", "o:1", **place.variables)
    assert run("identity", "show", "9", **place.variables).exit_code == 1
