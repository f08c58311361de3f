"""One customer's profile: a frozen value of bounded size, replaced whole."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.outputs import Trigger
from streams.profiles.address_entry import AddressEntry, Asked
from streams.profiles.attributes import Attributes
from streams.profiles.entered import Entered
from streams.profiles.order_change import Adjustment, OrderChange
from streams.profiles.order_entry import OrderEntry
from streams.profiles.statement import ConsentState, Mailbox

ORDERS_MAX: Final = 500
TOUCHES_MAX: Final = 100
SEEN_MAX: Final = 1_000
CONVERSIONS_MAX: Final = 100
MESSAGES_MAX: Final = 200
CART_ITEMS_MAX: Final = 50
SESSIONS_MAX: Final = 8
ENTRIES_MAX: Final = 200
PRICES_MAX: Final = 20
PENDING_MAX: Final = 20
VIEWS_MAX: Final = 100
ADDS_MAX: Final = 8  # times that a cart keeps of one article


class CartItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    sku: str
    price_minor: int
    quantity: int


class PlacedOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order; money in minor units of the reporting currency (0 for an order in another one)."""

    time_ms: int
    total_minor: int
    refunded_minor: int
    """Above total_minor: it was taken back, though nothing of it is known in the reporting currency."""
    id_hash: int  # xxh3-64 of the order id
    is_browser: bool = False  # whether no server completed it, as in `OrderChange`

    @property
    def counts(self) -> bool:
        """Return whether the order counts: a fully refunded one does not, one that was free from the start does."""
        return self.refunded_minor < self.total_minor or self.refunded_minor == 0


class OrderMonth(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Orders older than the newest ORDERS_MAX, by calendar month (UTC)."""

    end_ms: int
    orders: int
    minor: int


class OrderContent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a message can say of an order: its id and articles, in the order's own currency."""

    time_ms: int
    id_hash: int
    order_id: str
    currency: str
    total_minor: int
    products: tuple[CartItem, ...]


class Cart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The articles in the cart; never empty."""

    opened_ms: int
    """Time of the touchpoint that opened it, at which the facts counted it."""
    added_ms: int
    """The customer's clock at the last add."""
    items: tuple[CartItem, ...]
    adds: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Of each article (time, quantity) of its adds, in order of time; empty by rules 1 and 2, which do not keep it."""


class Touch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A marketing touch. Ordered by (time_ms, id_hash)."""

    time_ms: int
    id_hash: int
    """xxh3-64 of the event id."""
    channel: str
    campaign_id: str | None
    session_hash: int
    """xxh3-64 of the session id; 0: none."""
    is_view: bool
    """Whether it was seen, not clicked: then it counts for the view lookback only."""


class Session(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A visit, and when the facts counted it, as two profiles of one customer may both have counted it."""

    time_ms: int
    id_hash: int
    """xxh3-64 of the session id."""
    ordered_ms: int = 0
    """Time of the order that was counted; 0: none."""


class Conversion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order whose credit may still change; its rows in the ledger follow from these fields alone."""

    order_id: str
    time_ms: int
    value_minor: int
    currency: str
    path: tuple[Touch, ...]
    revision: int


class Uncredited(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An open conversion whose rows in the ledger are still those of earlier ones."""

    order_id: str
    written: tuple[Conversion, ...]
    """The conversions whose rows the ledger holds: one, or one from each profile of a merge."""


class Run(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A candidate on its way through a flow; at most one in each flow."""

    flow_id: str
    """A version in the shadow has shadow:<id>, so that it does not meet the version that sends."""
    flow_version: int
    candidate_id: str
    cause: str
    entered_ms: int
    due_ms: int
    step: str
    """The step that is done when it is due."""
    last_entry_ms: int = 0
    """Time of the entry event from which the first wait counts; 0: written by a release that did not keep it."""
    goal_ms: int = 0
    """Time of the flow's goal, if a step asks for it; 0: not reached."""
    products: tuple[CartItem, ...] = ()
    """Products of the last entry event, if the flow shows them."""
    held_ms: int = 0
    """When its message was due before a pause or another flow put it off; 0: neither did."""
    attributes: tuple[tuple[str, str], ...] = ()
    """(name, text) of what messages carry of the last entry event; before rules 4 empty."""


class Sent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message of a flow, as the caps count it. Its decision and address are known from rules 4 on."""

    time_ms: int
    channel: str
    flow_id: str
    is_promotional: bool
    candidate_id: str = ""
    address_hash: int = 0
    """xxh3-64 of the hash of the e-mail address to which it went; 0: none was known."""


class PendingMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message that is decided, and may still be taken back by what comes in later."""

    trigger: Trigger
    run: Run
    """The candidate as it was at the decision."""
    is_held: bool
    """Whether it waits for the watermark. Else it is out, and not due yet."""

    @property
    def goes_ms(self) -> int:
        """Return when the message goes out; what happened from then on does not take it back."""
        return max(self.trigger.decided_ms, self.trigger.due_ms)


class ShownPrice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The highest price of an article that the customer was shown lately, and when they were shown it last."""

    sku: str
    price_minor: int
    time_ms: int


class CategoryView(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A view of something in a category."""

    time_ms: int
    id_hash: int
    category: str


class Score(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """RFM as last scored: a pure function of the orders, the customer's clock and the cuts' version."""

    segment: str
    r: int
    f: int
    m: int
    cuts_version: str
    scored_ms: int
    orders: int
    monetary_minor: int
    due_ms: int
    """When time alone may change it: recency crosses a cut, or an order leaves the window; 0: never."""


class Profile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything known of one key: a user, a device, a guest's order, an address or a spend channel."""

    clock_ms: int = 0
    first_ms: int = 0
    """Time of the earliest touchpoint; 0: none yet."""
    seen: tuple[tuple[int, bytes], ...] = ()
    """(day of the customer's clock, 8-byte hashes of the event ids folded on it), oldest first."""
    user_id: str | None = None
    email_hash: str | None = None
    linked: tuple[str, ...] = ()
    """Of a user: devices and addresses that know of it. Of a device or an address: its users, last linked last."""
    orders: tuple[PlacedOrder, ...] = ()
    """By (time_ms, id_hash)."""
    months: tuple[OrderMonth, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    score: Score | None = None
    slot_ms: int = 0
    """Due time of the weekly slot; 0: none (no order yet)."""
    lifecycle: str = "prospect"
    cluster: int = -1
    clusters_version: str = ""
    sessions: tuple[Session, ...] = ()
    """The newest, in the order in which they were counted."""
    cart: Cart | None = None
    touches: tuple[Touch, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    answers: tuple[tuple[int, int], ...] = ()
    """(day, number of opens and clicks) of the last 90 days."""
    consents: tuple[ConsentState, ...] = ()
    """By valid time; before rules 4 the latest of each channel."""
    runs: tuple[Run, ...] = ()
    messages: tuple[Sent, ...] = ()
    expires_ms: int = 0
    """When an entry without a public profile (a guest's order) is forgotten; 0: never."""
    wake_ms: int = 0
    """Due time in the timer index, at or before the earliest timer, so that a busy cart does not rewrite the index."""
    parked: tuple[str, ...] = ()
    """Names of timers whose code raised; they are out of the index until an operator retries them."""
    time_zone: str | None = None
    """IANA name of the time zone where the customer was last."""
    entries: tuple[Entered, ...] = ()
    """By flow."""
    prices: tuple[ShownPrice, ...] = ()
    """By (time_ms, sku); empty if no published flow compares prices."""
    pending: tuple[PendingMessage, ...] = ()
    """In the order in which they were decided."""
    hours: tuple[int, ...] = ()
    """Opens and clicks by local hour of the day, from midnight; empty: none yet."""
    answered: tuple[tuple[str, int], ...] = ()
    """(channel, time of the last open or click there), by channel."""
    entry_timers: tuple[tuple[str, int], ...] = ()
    """(flow as in Run, when it is to be entered) of flows that are entered by a date; by flow."""
    views: tuple[CategoryView, ...] = ()
    """By (time_ms, id_hash, category); only categories that a published flow counts."""
    rules: int = 1
    """Number of the rules by which it was folded last. From 2 on it is within the limits of a profile."""
    uncredited: tuple[Uncredited, ...] = ()
    """In the order of the conversions; under rules 1 empty."""
    uncredited_ms: int = 0
    """What all credit is written up to is before then; 0: all is written."""
    changes: tuple[OrderChange, ...] = ()
    """By time: what happened to orders, but for those that were only completed. Under rules 1 and 2 empty."""
    order_content: OrderContent | None = None
    """Of the last order by (time_ms, id_hash), if a published flow shows orders; before rules 3 None."""
    unanswered: tuple[int, int] = (0, 0)
    """(promotional messages that left `messages` without an answer, time of the last of them); before rules 3 none."""
    email_ms: int = 0
    """Time of the last event of this key that named email_hash; 0: none did, or before rules 4."""
    mailboxes: tuple[Mailbox, ...] = ()  # by address; before rules 4 empty
    order_entry: OrderEntry | None = None
    """Of an order's key: who claims it, and all that happened to it; before rules 4 None."""
    unmatched_ids: tuple[str, ...] = ()
    """Ids of orders of which only refunds and cancellations are known, the last that fit; before rules 4 empty."""
    ids_alone_ms: int = 0
    """Its clock when its rules became 4: ids of events in `seen` until then are without their source. 0: none are."""
    erasure_asked: tuple[int, int] | None = None
    """(first, last time at which the customer asked to be forgotten); before rules 4 None."""
    country: tuple[str, int] | None = None
    """(ISO 3166 code, time of the last own event that named one); before rules 4 None."""
    kept: bytes = b""
    """The profile to which the undo of a merge goes back, as stored, until expires_ms; before rules 4 empty."""
    asked: tuple[Asked, ...] = ()
    """Of pending messages, those that wait for their address; before rules 4 none."""
    address_entry: AddressEntry | None = None
    """Of an address that several profiles have: which promotional messages it got."""
    attributes: Attributes | None = None  # there is none yet, or before rules 4
    landing: str | None = None
    """While an import brings their past: the segment that others know; changes are no news. None: none does."""


EMPTY = Profile()
