"""A journal partition in memory, driven by a test: touchpoints in, time moved, effects out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.journal import RULES, Configured, Landed
from schemas.outputs import Credit
from schemas.touchpoint import Order, Product, Touchpoint
from streams.fold.attempt import RAISED, Refused
from streams.fold.memory import Partition
from streams.fold.moment import Rejected
from streams.settings import DomainSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

    from schemas.insights import PanelRow
    from streams.fold.fold import Fold
    from streams.fold.memory import Outcome
    from streams.profiles.profile import Profile
    from streams.settings import FlowState

T = TypeVar("T")

START_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC, a Thursday."""
IMPORT_ID = "0123456789abcdef"
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class World:
    """One journal partition and its outputs."""

    def __init__(self, settings: DomainSettings | None = None, rules: int = RULES, **given: Any) -> None:
        given = {
            "clock": "marks",
            "touchpoint_partitions": 1,
            "journal_partitions": 1,
            "consent_default": "granted",
            **given,
        }
        self.settings = settings or DomainSettings.model_validate(given)
        self.partition = Partition(self.settings)
        self.overlay = self.partition.overlay
        self.outputs: list[tuple[str, msgspec.Struct | None]] = []
        self.counts: Counter[tuple[str, int, str]] = Counter()
        self.panel: list[PanelRow] = []
        self.position = 0
        self._take(self.partition.configure(rules))

    @property
    def fold(self) -> Fold:
        """The state machine."""
        return self.partition.fold

    def append(self, key: str, record: msgspec.Struct, received_ms: int = 0, hops: int = 0) -> None:
        """Folds a record and everything that it loops back; Rejected, or whatever its code raises."""
        self._take(self.partition.append(key, record, received_ms, hops))

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Refused):
                if outcome.reason == RAISED:
                    raise AssertionError(outcome.detail)
                raise Rejected(outcome.reason, outcome.detail)
            effects = outcome.effects
            self.outputs += effects.outputs
            self.counts.update(effects.counts)
            self.panel += effects.panel

    def send(self, *events: Touchpoint, received_ms: int | None = None) -> None:
        """Folds touchpoints under the keys that collect would give them."""
        for event in events:
            self._take(self.partition.send(event, received_ms))

    def bring(self, *events: Touchpoint) -> None:
        """Folds touchpoints of the past, which an import brings."""
        for event in events:
            self._take(self.partition.bring(event))

    def land(self, *customers: str) -> None:
        """The import has no more of these customers."""
        for customer in customers:
            self.append(customer, Landed(IMPORT_ID))

    def pass_time(self, until_ms: int) -> None:
        """Announces to the partition that time has come to until_ms."""
        self._take(self.partition.pass_time(until_ms))

    def restated(self, **states: FlowState) -> Configured:
        """The settings with these states of flows, as a command publishes them."""
        return Configured(self.settings.model_copy(update={"flow_states": states}).model_dump_json(), 0)

    def begin(self, first_event_ms: int) -> None:
        """A tick says where the shop's history begins."""
        self._take(self.partition.begin(first_event_ms))

    def commit(self) -> None:
        """As after a cycle: what is pending goes to the store."""
        frozen = self.overlay.freeze()
        self.position += len(frozen)
        self.overlay.committed(self.position)

    def profile(self, key: str) -> Profile | None:
        """State of one key."""
        found: Profile | None = self.overlay.get(key.encode())
        return found

    def emitted(self, kind: type[T], customer: str | None = None) -> list[T]:
        """Records of one type, in order."""
        return [r for who, r in self.outputs if isinstance(r, kind) and customer in {None, who}]

    def credit(self, *by: str, model: str | None = None) -> dict[tuple[Any, ...], int]:
        """The ledger's balance by these fields of its rows, of one model or of all; what is not 0."""
        sums: Counter[tuple[Any, ...]] = Counter()
        for row in self.emitted(Credit):
            if model in {None, row.model}:
                sums[tuple([getattr(row, name) for name in by])] += row.amount_minor
        return {key: minor for key, minor in sums.items() if minor}

    def total(self, name: str, by: str = "") -> int:
        """A fact over all hours."""
        return sum(
            value for (counted, _, dimension), value in self.counts.items() if (counted, dimension) == (name, by)
        )


_numbers = iter(range(1, 1 << 40))


def a_touchpoint(kind: str, at_ms: int, user: str | None = "1", **fields: Any) -> Touchpoint:
    """A touchpoint of user `user` with an id of its own."""
    fields.setdefault("event_id", f"event-{next(_numbers)}")
    return Touchpoint(type=kind, time_ms=at_ms, user_id=user, **fields)


def an_order(
    at_ms: int, total_minor: int = 4_200, user: str | None = "1", order_id: str | None = None, **fields: Any
) -> Touchpoint:
    """An order of 42.00 unless said otherwise."""
    order = Order(order_id=order_id or f"order-{next(_numbers)}", currency="EUR", total_minor=total_minor)
    return a_touchpoint("order_completed", at_ms, user, order=order, **fields)


def a_refund(at_ms: int, order_id: str, total_minor: int, user: str | None = "1", **fields: Any) -> Touchpoint:
    """A refund of an order."""
    order = Order(order_id=order_id, currency="EUR", total_minor=total_minor)
    return a_touchpoint("order_refunded", at_ms, user, order=order, **fields)


def a_view(at_ms: int, user: str | None = "1", sku: str = "mug", price_minor: int = 900, **fields: Any) -> Touchpoint:
    """A look at an article."""
    return a_touchpoint("product_viewed", at_ms, user, products=(Product(sku, price_minor, 1),), **fields)


def an_add(at_ms: int, sku: str = "mug", price_minor: int = 900, user: str | None = "1", **fields: Any) -> Touchpoint:
    """An article put into the cart."""
    return a_touchpoint(
        "product_added", at_ms, user, products=(Product(sku=sku, price_minor=price_minor, quantity=1),), **fields
    )
