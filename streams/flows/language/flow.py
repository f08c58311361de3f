"""A flow as its file describes it. The docstrings of the fields are the descriptions in deploy/flow.schema.json."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.units import DAY_MS
from streams.flows.language.attribute_conditions import ATTRIBUTE_PATTERN
from streams.flows.language.conditions import Condition, check_of_profile
from streams.flows.language.durations import Clock, Duration, duration_text, parse_duration
from streams.flows.language.entry import Entry, Wait
from streams.flows.language.events import Channel, EventType, FlowEvent
from streams.flows.language.part import Part
from streams.flows.language.relying import ReliesOn, Relying, named_types
from streams.flows.language.steps import CheckGoalStep, Name, SplitStep, Step, TriggerStep, check_ways
from streams.flows.language.validity import NEVER_MS, Validity

PROMOTIONAL_EXITS: tuple[EventType, ...] = (
    "order_completed",
    "ticket_opened",
    "loyalty_changed",
    "email_unsubscribed",
)
"""Events that end a promotional flow unless its file names others; a transactional flow has no default."""
LOG_MS = 30 * DAY_MS
"""How long profiles keep a customer's messages."""


def _parse_reentry(value: object) -> int:
    if value in {"always", "never"}:
        return NEVER_MS if value == "never" else 0
    try:
        return parse_duration(value)
    except ValueError:
        raise ValueError("write always, never, or how long after an entry the next one counts, such as 30d") from None


def _is_logged(duration_ms: int) -> int:
    if not 0 < duration_ms <= LOG_MS:
        raise ValueError("it must be above 0s and at most 30d, because profiles keep messages for 30 days")
    return duration_ms


Logged = Annotated[Duration, AfterValidator(_is_logged)]
"""A duration within the time for which profiles keep messages."""
Reentry = Annotated[int, BeforeValidator(_parse_reentry, json_schema_input_type=str)]


CarriedField = Annotated[str, Field(pattern=f"{ATTRIBUTE_PATTERN}|^event\\.name$")]
"""An attribute that a message carries."""


class Goal(Part):
    """A touchpoint that counts as success of the flow."""

    event: FlowEvent
    """The type of the touchpoint, or custom:NAME for an event of your own."""
    window_ms: Duration = Field(alias="window")
    """How long after a message the touchpoint still counts."""


class Needs(Part):
    """Conditions that must hold before each message. If one does not hold, the customer leaves the flow."""

    cart: Literal["not_empty"] | None = None
    """Send only while the cart holds a product."""
    condition: Annotated[Condition, AfterValidator(check_of_profile)] | None = None
    """Send only while this condition on the profile holds."""
    history_ms: Duration = Field(default=0, alias="history")
    """Send only if the shop's first event is at least this long ago; in a younger shop the outcome is cold.
    If an entry by a segment asks for last_order_age, the shop must always be as old as that."""


class RollingCap(Part):
    """A limit on promotional messages from all flows in any period of this length."""

    channel: Channel | None = None
    """Count only messages by this channel. Without it, all channels count."""
    messages: int = Field(ge=1, le=100)
    """The most messages in one period."""
    within_ms: Logged = Field(alias="within")
    """Length of the period, 30d at most."""


class Caps(Part):
    """Limits on the promotional messages that a customer gets from all flows together."""

    per_channel_hours: int = Field(default=20, ge=0, le=720)
    """Hours between two messages by the same channel. 0 disables the limit."""
    per_week: int = Field(default=3, ge=0, le=100)
    """The most messages in seven days, by any channel. 0 sends nothing."""
    rolling: tuple[RollingCap, ...] = ()
    """Further limits. All of them apply."""


class QuietHours(Part):
    """Hours without promotional messages, in the customer's time zone. They cross midnight if from is later than to."""

    from_minute: Clock = Field(alias="from")
    """When the quiet hours begin, such as 21:00."""
    to_minute: Clock = Field(alias="to")
    """When the quiet hours end, such as 08:00."""

    @model_validator(mode="after")
    def _is_a_time(self) -> QuietHours:
        if self.from_minute == self.to_minute:
            raise ValueError("from and to are the same time of day, so no hour is quiet")
        return self

    def holds(self, minute: int) -> bool:
        """Return whether a time of day, in minutes since midnight, is quiet."""
        start, end = self.from_minute, self.to_minute
        return start <= minute < end if start < end else start <= minute or minute < end


class Flow(Part):
    """One version of one flow. Durations are a whole number and a unit: 30s, 15m, 2h or 7d."""

    id: Name
    """Name of the flow in every record. Keep it when you publish a new version."""
    version: int = Field(ge=1)
    """Number of this text. A changed text needs a higher number."""
    owner: str = Field(min_length=1)
    """The team or person to ask about the flow."""
    goal: Goal
    """The success that the flow aims for."""
    stage: Literal["any", "prospect", "first_time", "active", "at_risk", "lapsed", "reactivated"]
    """The customers for whom the flow is written, as a note for readers. A condition on lifecycle enforces it."""
    priority: int = Field(ge=0, le=100)
    """If messages of two flows are due together, the flow with the higher number goes first."""
    message_class: Literal["transactional", "promotional"] = Field(alias="class")
    """Promotional messages need consent and obey caps and quiet hours. Transactional messages do not."""
    purpose: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,31}$")
    """The purpose for which the customer has to consent. Without it, the name of the class."""
    entry: Entry
    """The way into the flow."""
    reentry_ms: Reentry = Field(default=0, alias="reentry")
    """How long after an entry the same customer may enter again: always, never, or a duration."""
    begins_anew: bool = False
    """If true, an entry after the first message ends the run and starts another. Otherwise it changes nothing."""
    wait: Wait = Wait()
    """The time between the entry and the first step."""
    needs: Needs = Needs()
    """Conditions that must hold before each message."""
    channel: Channel | None = None
    """The channel of all messages. Give either this or channels."""
    channels: tuple[Channel, ...] | None = Field(default=None, min_length=1)
    """Channels in order of preference. A customer gets the one with consent that they last answered, else the first."""
    expires_after_ms: Duration = Field(alias="expires_after")
    """How long after its due time a message may still go out."""
    products: Literal["cart", "entry", "order"] = "cart"
    """Products in a message: the cart, those of the entry's event, or an order (that of the entry or the last)."""
    attributes: tuple[CarriedField, ...] = Field(default=(), max_length=20)
    """Attributes that each message carries: traits.NAME, event.properties.NAME of the entry's event, or event.name."""
    exits: tuple[FlowEvent, ...] | None = None
    """Touchpoints that end the flow at any step. Promotional flows have four by default."""
    caps: Caps = Caps()
    """Limits on promotional messages, checked when this flow is about to send one."""
    quiet_hours: QuietHours | None = None
    """Hours in which this flow sends nothing. A message due then waits for their end."""
    send_time: Literal["at_once", "best"] = "at_once"
    """at_once sends a message when it is due. best waits for the hour at which the customer opens messages."""
    when_outranked: Literal["wait", "drop"] = "wait"
    """If a flow with higher priority goes first, the message waits, or it is dropped."""
    suppresses_ms: Logged | None = Field(default=None, alias="suppresses")
    """For how long after a message no other flow sends this customer a promotional one."""
    holdout_percent: float = Field(default=0, ge=0, le=100)
    """Share of customers who get no message, for comparison. The same customers in every version."""
    valid: Validity | None = None
    """The period in which the flow runs."""
    relies_on: Relying = ()
    """Touchpoint types whose silence raises an alert: at least the entry and the goal, which are also the default.
    Or a source and its types, such as source: shop and types: [order_completed]."""
    on_silence: Literal["alert", "hold"] = "alert"
    """alert: a person decides if one of these types stops coming in. hold: messages wait until it comes in again."""
    running_customers: Literal["move", "finish"] = "move"
    """Customers in an older version move to the step of the same name in this one, or finish the old one."""
    steps: Annotated[tuple[Step, ...], AfterValidator(check_ways)] = Field(min_length=1, max_length=50)
    """The steps after the entry and the wait, in order. The last step sends a message."""

    @model_validator(mode="after")
    def _agrees(self) -> Flow:
        if self.exits is not None and self.entry.event in self.exits:
            raise ValueError(f"exits must not name {self.entry.event}: the event of the entry never ends the flow")
        if (self.channel is None) == (self.channels is None):
            raise ValueError("a flow needs either channel or channels")
        if self.channels is not None and len(set(self.channels)) < len(self.channels):
            raise ValueError("channels names one channel twice")
        if not self.is_promotional:
            self._is_transactional()
        if self.entry.event is None and any(name.startswith("event.") for name in self.attributes):
            raise ValueError("attributes of an event need an entry by an event")
        if self.products == "entry" and self.entry.event is None:
            raise ValueError("products: entry needs an entry by an event, which has articles to show")
        unnamed = sorted(self.relied_on.difference(named_types(self.relies_on)))
        if self.relies_on and unnamed and not isinstance(self.relies_on, ReliesOn):
            raise ValueError(f"relies_on lacks {unnamed[0]}, which is the flow's entry or goal")
        if self.checks_goal and self.goal.event in self.exit_events:
            raise ValueError(
                f"check_goal has no effect: {self.goal.event} is the goal and already ends the flow (exits)"
            )
        return self

    def _is_transactional(self) -> None:
        if self.quiet_hours is not None:
            raise ValueError("quiet_hours are for promotional flows: a transactional message goes out at any hour")
        if self.send_time == "best":
            raise ValueError("send_time is for promotional flows: a transactional message goes out at once")
        if "when_outranked" in self.model_fields_set:
            raise ValueError("when_outranked is for promotional flows: a transactional message waits for no other")
        if self.purpose == "promotional":
            raise ValueError("purpose: promotional is for promotional flows: a transactional message needs no grant")

    @cached_property
    def relied_on(self) -> frozenset[str]:
        """Return the types of touchpoints without which the flow goes wrong."""
        return frozenset((*named_types(self.relies_on), self.goal.event, self.entry.event or self.goal.event))

    @cached_property
    def is_promotional(self) -> bool:
        """Return whether caps, quiet hours and the need for consent apply."""
        return self.message_class == "promotional"

    @cached_property
    def consent_purpose(self) -> str:
        """Return the purpose of the statements of consent that decide about its messages."""
        return self.purpose or self.message_class

    @cached_property
    def ordered_channels(self) -> tuple[Channel, ...]:
        """Return the channels for messages, best first."""
        return self.channels or (self.channel or get_args(Channel)[0],)

    @cached_property
    def first_due(self) -> str:
        """Return when the first step is due, for a sentence."""
        wait_ms, words = self.wait.for_ms, self.entry.words
        if wait_ms:
            return f"{duration_text(wait_ms)} after {words}"
        return f"right after {words}" if self.entry.date is None else words

    @property
    def history_ms(self) -> int:
        """Return how long ago the shop's first event must be; 0: any time."""
        return max(self.needs.history_ms, self.entry.floor_ms)

    @property
    def checks_goal(self) -> bool:
        """Return whether a step checks the goal."""
        return any(isinstance(step, CheckGoalStep) for step in self.steps)

    @cached_property
    def shows_entry(self) -> bool:
        """Return whether messages show the products of the event of the entry."""
        return self.products == "entry" or (self.products == "order" and self.entry.event == "order_completed")

    @cached_property
    def says_content(self) -> bool:
        """Return whether the file says what its messages are about; files for earlier releases may not."""
        return "products" in self.model_fields_set or any(
            isinstance(step, TriggerStep) and step.offer is not None for step in self.steps
        )

    @cached_property
    def split(self) -> SplitStep | None:
        """Return the step that puts customers into arms."""
        return next((step for step in self.steps if isinstance(step, SplitStep)), None)

    @cached_property
    def exit_events(self) -> frozenset[EventType]:
        """Return the file's exits, or those of its class; never the event of the entry."""
        named = self.exits
        if named is None:
            named = PROMOTIONAL_EXITS if self.is_promotional else ()
        return frozenset(event for event in named if event != self.entry.event)


def schema_text() -> str:
    """Return the JSON Schema of a flow file, as deploy/flow.schema.json has it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Flow.model_json_schema()}
    return json.dumps(schema, indent=1) + "\n"
