"""Whatever is sent, one record of the journal costs a bounded amount of output, and a profile stays small."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from schemas import wire
from schemas.journal import RULES, Configured
from schemas.limits import (
    DATES_MAX,
    ENTRY_TIMERS_MAX,
    MONTHS_MAX,
    PATH_MAX,
    PENDING_BYTES_MAX,
    PROFILE_BYTES_MAX,
    ROWS_MAX,
    RUNS_MAX,
    VALUE_BYTES_MAX,
    WOKEN_OUTPUTS_MAX,
)
from schemas.outputs import Credit, Trigger
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.flows.runtime.rooms import message_bytes
from streams.fold.fold import Fold
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState
from streams.offline.refold import refold
from streams.profiles.codec import BEFORE_RULES, decode_profile, encode_profile
from streams.profiles.profile import ADDS_MAX, CART_ITEMS_MAX, ORDERS_MAX
from tests.support.hostile import Hostile, hostile_flows, sending_flows, wide
from tests.support.kept import KeptWorld
from tests.support.world import START_MS, a_touchpoint, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.record import Record
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Profile

pytestmark = pytest.mark.acceptance

VISITS, ORDERS, LATE = 99, 100, 300
ROWS_OF_ONE_MAX = 4 * PATH_MAX + 4
"""Rows of one conversion: by two models, of two profiles at most, reversed and written again."""
UNATTRIBUTED_ROWS_MAX = 2 * DATES_MAX + 2 * 2 * ORDERS
"""Rows that take out refunds by two models, when their orders come in or two profiles become one."""
RECORDS_MAX = ROWS_MAX + ROWS_OF_ONE_MAX + WOKEN_OUTPUTS_MAX + UNATTRIBUTED_ROWS_MAX


class Measured(KeptWorld):
    """A world that notes the most that one record makes."""

    def __init__(self, **given: object) -> None:
        super().__init__(clock="marks", consent_default="granted", **given)
        self.records_max = self.bytes_max = self.profile_max = 0
        fold = self.partition.fold
        codec = JournalCodec()

        def measured(record: Record) -> Effects:
            effects = fold(record)
            made = [each for _, each in effects.outputs if each is not None]
            values = [wire.encode(each) for each in made]
            values += [each if isinstance(each, bytes) else wire.encode(each) for _, each, _ in effects.journal]
            self.records_max = max(self.records_max, len(values))
            self.bytes_max = max(self.bytes_max, *map(len, values), 0)
            profile = self.overlay.get(record.key.encode()) if record.key else None
            if profile is not None:
                self.profile_max = max(self.profile_max, len(codec.encode(record.key.encode(), profile)))
            return effects

        self.partition.fold = measured  # type: ignore[assignment]

    def check(self) -> None:
        print(  # noqa: T201 - how near to the limits it came
            f"profile {self.profile_max:,} of {PROFILE_BYTES_MAX:,}, record {self.bytes_max:,} of {VALUE_BYTES_MAX:,} "
            f"bytes, {self.records_max} of {RECORDS_MAX} records"
        )
        assert self.profile_max < PROFILE_BYTES_MAX
        assert self.bytes_max < VALUE_BYTES_MAX
        assert self.records_max <= RECORDS_MAX

    def rows(self) -> int:
        return len(self.emitted(Credit))

    def balance(self) -> dict[tuple[str, str, str | None], int]:
        return self.credit("order_id", "model", "touch_id")


def a_profile(world: KeptWorld, key: str) -> Profile:
    profile = world.profile(key)
    assert profile is not None
    return profile


@pytest.mark.slow
def test_a_profile_with_the_longest_texts_stays_within_its_limit_also_when_two_become_one() -> None:
    world = Measured(flows=hostile_flows())
    user, device = Hostile("user"), Hostile("device")
    for sender in (user, device):
        for event in sender.everything():
            world.send(event)
        credit_much(world, sender)
        world.send(*sender.full_cart())
    for key in (user.key, device.key):
        profile = a_profile(world, key)
        full = (profile.orders, profile.months, profile.changes, profile.runs, profile.entry_timers)
        assert [len(each) for each in full] == [ORDERS_MAX, MONTHS_MAX, ORDERS_MAX, RUNS_MAX, ENTRY_TIMERS_MAX]
        assert profile.cart is not None
        assert [len(adds) for adds in profile.cart.adds] == [ADDS_MAX] * CART_ITEMS_MAX
        assert profile.order_content is not None
    world.send(user.event("page_viewed", anonymous_id=wide("device", 0)))
    world.pass_time(max(user.now_ms, device.now_ms) + DAY_MS)
    assert a_profile(world, device.key).orders == ()
    assert a_profile(world, user.key).uncredited == ()
    world.check()


def credit_much(world: KeptWorld, sender: Hostile) -> None:
    """Many touches, many orders, and touches that come late."""
    for number in range(VISITS):
        world.send(sender.click(number, sender.now_ms - 3 * DAY_MS))
    for number in range(10_000, 10_000 + ORDERS):
        world.send(sender.order(number))
    for number in range(VISITS, 2 * VISITS):
        world.send(sender.click(number, sender.now_ms - DAY_MS))


def test_messages_that_wait_with_a_full_cart_stay_within_the_limit() -> None:
    world = Measured(flows=sending_flows())
    customer = Hostile()
    for event in customer.checkouts():
        world.send(event)
        pending = a_profile(world, customer.key).pending
        assert sum(map(message_bytes, pending)) <= PENDING_BYTES_MAX
    assert len(world.emitted(Trigger)) > RUNS_MAX
    world.check()


@pytest.mark.slow
def test_a_larger_profile_of_earlier_rules_shrinks_when_its_customer_is_folded_next() -> None:
    world = KeptWorld(clock="marks", flows=hostile_flows())
    with_rules(world, 1)
    customer = Hostile()
    for event in customer.everything():
        world.send(event)
    credit_much(world, customer)
    large = a_profile(world, customer.key)
    stored = encode_profile(large)
    assert (stored[0], decode_profile(stored)) == (BEFORE_RULES, large)
    assert len(stored) > 2 * PROFILE_BYTES_MAX
    world.append("", Configured(world.settings.model_dump_json(), 0, RULES))
    assert a_profile(world, customer.key) is large
    rows = len(world.emitted(Credit))
    world.send(customer.event("page_viewed"))
    small = encode_profile(a_profile(world, customer.key))
    print(f"{len(stored):,} bytes, then {len(small):,}")  # noqa: T201 - what the limits save
    assert len(small) < PROFILE_BYTES_MAX
    # what is left out keeps its credit
    assert len(world.emitted(Credit)) == rows
    assert world.total("candidates_unaccounted") == 0


def with_rules(world: KeptWorld, rules: int) -> None:
    """As if the partition had been configured by an earlier release."""
    state = world.overlay.get(PARTITION_KEY)
    assert isinstance(state, PartitionState)
    world.overlay.put(PARTITION_KEY, msgspec.structs.replace(state, rules=rules), 0)


def test_late_clicks_for_a_customer_with_many_open_orders_are_worked_off_in_slices() -> None:
    world = Measured()
    busy(world)
    before = world.rows()
    for number in range(LATE):
        world.send(a_click(START_MS + number * MINUTE_MS, f"late-{number}"))
    assert a_profile(world, "u:1").uncredited
    world.check()
    # the clicks wrote one slice, and left the rest to the progress of time
    assert world.rows() - before <= ROWS_MAX + ROWS_OF_ONE_MAX
    now_ms = START_MS + 40 * DAY_MS
    world.pass_time(now_ms)
    assert not a_profile(world, "u:1").uncredited
    assert Fold(world.overlay).complete_to_ms() == now_ms
    # each order was written once more, whatever the number of clicks
    assert world.rows() - before <= ORDERS * ROWS_OF_ONE_MAX
    world.check()


def busy(world: KeptWorld) -> None:
    """A customer with VISITS touches and ORDERS open orders."""
    for number in range(VISITS):
        world.send(a_click(START_MS + number * HOUR_MS, f"click-{number}"))
    for number in range(ORDERS):
        world.send(an_order(START_MS + 5 * DAY_MS + number * HOUR_MS, 100_003, order_id=f"order-{number}"))


def a_click(time_ms: int, event_id: str) -> Touchpoint:
    return a_touchpoint("ad_clicked", time_ms, event_id=event_id, channel=f"channel {event_id[-1]}")


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_balance_is_that_of_a_calm_run_and_each_prefix_of_the_journal_folds_to_the_same(seed: int) -> None:
    random = Random(seed)
    events = [a_click(START_MS + number * HOUR_MS, f"click-{number}") for number in range(60)]
    events += [
        an_order(START_MS + DAY_MS + number * HOUR_MS, 7_777 + number, order_id=f"order-{number}")
        for number in range(60)
    ]
    calm, hurried = Measured(), Measured()
    calm.send(*events)
    shuffled = random.sample(events, len(events))
    for number, event in enumerate(shuffled):
        hurried.send(event, received_ms=START_MS + 10 * DAY_MS + number)
        if random.random() < 0.1:
            hurried.pass_time(START_MS + 10 * DAY_MS + number)
    for world in (calm, hurried):
        world.pass_time(START_MS + 20 * DAY_MS)
        world.check()
    assert hurried.balance() == calm.balance()
    cut = random.randrange(60, len(hurried.journal))
    once, again = refold(hurried.journal[:cut], wire.SINGLE_OBJECT), refold(hurried.journal[:cut], wire.SINGLE_OBJECT)
    assert once.topics == again.topics
    whole = refold(hurried.journal, wire.SINGLE_OBJECT)
    for key, values in once.topics["credits"].items():
        assert whole.topics["credits"][key][: len(values)] == values
    assert dict(once.state.items()) == dict(again.state.items())
