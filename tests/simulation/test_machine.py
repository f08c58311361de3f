"""The same world, driven step by step by hypothesis, which looks for the shortest way to break it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schemas.touchpoint import Order, Product, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from tests.simulation.checking import flaws
from tests.simulation.faults import ANSWERS, AROUND, CYCLE, ENDS, WORLD, Fault
from tests.simulation.history import TOUCHPOINT_PARTITIONS, Sent, marks
from tests.simulation.model_producer import partition_of
from tests.simulation.world import Case, World
from tests.support.world import HOUR_MS, START_MS


class Shop(RuleBasedStateMachine):
    """Sends, lets time pass and breaks things in any order; at the end all must be as in a calm run."""

    world: World | None = None

    @initialize(
        seed=some.integers(0, 1 << 16),
        workers=some.integers(1, 3),
        batch_records_max=some.sampled_from((1, 5)),
        cycle_records_max=some.sampled_from((1, 1_000)),
    )
    def open(self, seed: int, workers: int, batch_records_max: int, cycle_records_max: int) -> None:
        case = Case(seed, (), (), workers, batch_records_max, 60, cycle_records_max, has_devices=True, has_late=False)
        self.world = World(case)
        self.now_ms = START_MS
        self.number = 0

    @rule(user=some.sampled_from("12"), device=some.sampled_from((None, None, "x", "y")), what=some.integers(0, 2))
    def send(self, user: str, device: str | None, what: int) -> None:
        assert self.world is not None
        self.number += 1
        self.now_ms += 1
        name = f"event-{self.number}"
        event = Touchpoint(
            name,
            ("product_viewed", "product_added", "order_completed")[what],
            self.now_ms,
            user_id=None if device == "y" else user,
            anonymous_id=device,
            products=(Product("mug", 900, 1),) if what == 1 else (),
            order=Order(name, "EUR", 900) if what == 2 else None,
        )
        key = key_of(event)
        assert key is not None
        partition = partition_of(key, TOUCHPOINT_PARTITIONS)
        self.world.send(Sent(self.world.scheduler.now_s, partition, key, SINGLE_OBJECT.encode(event)))

    @rule(hours=some.integers(1, 5))
    def mark(self, hours: int) -> None:
        assert self.world is not None
        self.now_ms += hours * HOUR_MS
        for each in marks(self.world.scheduler.now_s, self.now_ms):
            self.world.send(each)

    @rule(tenths=some.integers(1, 8))
    def wait(self, tenths: int) -> None:
        assert self.world is not None
        self.world.scheduler.pass_time(tenths / 10)

    @rule(
        kind=some.sampled_from((*ENDS, *WORLD)),
        call=some.sampled_from((*CYCLE, *AROUND)),
        number=some.integers(1, 5),
    )
    def break_something(self, kind: str, call: str, number: int) -> None:
        assert self.world is not None
        self.world.faults.expect(Fault(kind, call, number))

    @rule(kind=some.sampled_from(sorted(ANSWERS)), number=some.integers(1, 5), which=some.integers(0, 3))
    def break_an_answer(self, kind: str, number: int, which: int) -> None:
        assert self.world is not None
        calls = ANSWERS[kind]
        self.world.faults.expect(Fault(kind, calls[which % len(calls)], number))

    def teardown(self) -> None:
        if self.world is None:
            return
        self.mark(3)
        self.world.run()
        assert next(flaws(self.world), None) is None


Shop.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
TestShop = Shop.TestCase
