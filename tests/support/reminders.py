"""What became of the carts that a simulated shop's visitors left, by its own truth."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from streams.shop.truth import REMINDER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.outputs import Decision
    from schemas.touchpoint import Touchpoint
    from streams.shop.truth import AbandonedCart, Truth

DECIDED = {"sent", "held_out", "capped", "no_consent", "no_address"}
FIRST = "reminder"
"""The first message about a cart; others follow a day and three days after the last add."""


class Matched(NamedTuple):
    """Decisions beside the carts that they are about."""

    pairs: list[tuple[Decision, AbandonedCart]]
    without_cart: list[Decision]
    without_decision: list[AbandonedCart]


class Past:
    """Times of touchpoints by type and person, a person being `u:` or `a:` and an id."""

    def __init__(self, touchpoints: Iterable[Touchpoint]) -> None:
        self._times: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._consents: dict[str, list[tuple[int, bool]]] = defaultdict(list)
        self.by_id: dict[str, Touchpoint] = {}
        for each in touchpoints:
            self.by_id[each.event_id] = each
            for key in persons_told(each):
                self._times[each.type, key].append(each.time_ms)
                if each.consent is not None:
                    self._consents[key].append((each.time_ms, each.consent.granted))
                elif each.type == "email_unsubscribed":
                    self._consents[key].append((each.time_ms, False))

    def happened(self, kind: str, persons: Iterable[str], after_ms: int, to_ms: int) -> bool:
        """Whether one of them did that in (after_ms, to_ms]."""
        for person in persons:
            times = self._times[kind, person]
            place = bisect_right(times, after_ms)
            if place < len(times) and times[place] <= to_ms:
                return True
        return False

    def consented(self, person: str, at_ms: int) -> bool:
        """The customer's last statement; yes before any, as the settings of the test say."""
        said = [granted for time_ms, granted in self._consents[person] if time_ms <= at_ms]
        return said[-1] if said else True


def persons_told(touchpoint: Touchpoint) -> list[str]:
    told = [("u:", touchpoint.user_id), ("a:", touchpoint.anonymous_id)]
    return [kind + name for kind, name in told if name is not None]


def persons(cart: AbandonedCart, truth: Truth) -> set[str]:
    """Keys under which the one who left the cart may be known, now or once the device is linked."""
    users = {cart.user_id, *truth.devices.get(cart.device, [])} - {None}
    return {f"a:{cart.device}", *(f"u:{user}" for user in users)}


def matched(truth: Truth, decisions: Iterable[Decision], past: Past) -> Matched:
    """By the person and the time of the last add; where a device's add reached its user late, by the visit."""
    by_time: dict[int, list[AbandonedCart]] = defaultdict(list)
    by_visit: dict[str | None, AbandonedCart] = {cart.session_id: cart for cart in truth.abandoned}
    for cart in truth.abandoned:
        by_time[cart.last_add_ms].append(cart)
    pairs: list[tuple[Decision, AbandonedCart]] = []
    without_cart = []
    for decision in decisions:
        if decision.outcome not in DECIDED or decision.step != FIRST:
            continue
        left_then = by_time[int(decision.evidence["cart_added_ms"])]
        found = [each for each in left_then if decision.customer in persons(each, truth)]
        left = found[0] if found else by_visit.get(past.by_id[decision.cause].session_id)
        if left is None or decision.customer not in persons(left, truth):
            without_cart.append(decision)
        else:
            pairs.append((decision, left))
    decided = {cart.session_id for _, cart in pairs}
    return Matched(pairs, without_cart, [cart for cart in truth.abandoned if cart.session_id not in decided])


def ended_before_due(cart: AbandonedCart, truth: Truth, past: Past) -> str | None:
    """Why nothing was to be decided about this cart: `ordered`, or `added` more and so began to wait again.

    Adding on another device of theirs counts: the two carts become one. Which of both has the candidate depends on
    which device's partition was faster.
    """
    due_ms = cart.last_add_ms + REMINDER_MS
    known = persons(cart, truth)
    known |= {f"a:{device}" for device, users in truth.devices.items() if any(f"u:{user}" in known for user in users)}
    for kind, why in (("order_completed", "ordered"), ("product_added", "added")):
        if past.happened(kind, known, cart.last_add_ms, due_ms):
            return why
    return None
