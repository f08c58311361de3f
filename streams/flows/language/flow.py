"""A flow as its file describes it: its fields and their meaning."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from streams.flows.language.conditions import Condition, Part, check_of_profile
from streams.flows.language.durations import Clock, Duration, duration_text, parse_duration
from streams.flows.language.events import Channel, EventType
from streams.flows.language.fields import SEGMENTS, DateField
from streams.flows.language.steps import CheckGoalStep, Name, SplitStep, Step, check_date, check_ways
from streams.settings import DAY_MS

if TYPE_CHECKING:
    from datetime import datetime

PROMOTIONAL_EXITS: tuple[EventType, ...] = (
    "order_completed",
    "ticket_opened",
    "loyalty_changed",
    "email_unsubscribed",
)
"""Events that end a promotional flow unless its file names others; a transactional flow has no default."""
LOG_MS = 30 * DAY_MS
"""How long profiles keep a customer's messages."""
NEVER_MS = 1 << 62


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


class Goal(Part):
    """The aim of the flow: this event within this time after a message."""

    event: EventType
    window_ms: Duration = Field(alias="window")


class Entry(Part):
    """The start of the flow for a customer: an event, their move into one of these segments, or one of their dates."""

    event: EventType | None = None
    segment: tuple[str, ...] | None = Field(default=None, min_length=1)
    date: DateField | None = None
    """The entry is at the date, or before or after it, and moves with it. A date already past starts nothing."""
    before_ms: Duration = Field(default=0, alias="before")
    after_ms: Duration = Field(default=0, alias="after")
    condition: Condition | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Entry:
        if sum(kind is not None for kind in (self.event, self.segment, self.date)) != 1:
            raise ValueError("an entry needs exactly one of event, segment and date")
        for name in self.segment or ():
            if name not in SEGMENTS:
                raise ValueError(f"there is no segment {name!r}; use {', '.join(SEGMENTS)}")
        if self.date is not None:
            check_date(self.date, self.before_ms, self.after_ms)
        elif self.before_ms or self.after_ms:
            raise ValueError("before and after need a date, but the entry has none")
        if self.event is None:
            check_of_profile(self.condition)
        return self

    @property
    def shift_ms(self) -> int:
        """Return the time from the date to the entry; below 0: the entry is earlier."""
        return self.after_ms - self.before_ms

    @property
    def words(self) -> str:
        """Return what happened, for a sentence."""
        if self.date is None:
            return self.event or "a new segment"
        return f"{duration_text(abs(self.shift_ms))} {'before' if self.before_ms else 'after'} {self.date}"


class Wait(Part):
    """How long after the entry the steps begin. If it restarts, it counts from the last entry event."""

    for_ms: Duration = Field(default=0, alias="for")
    restarts: bool = True


class Needs(Part):
    """Conditions that must be true at each message; otherwise the customer leaves the flow."""

    cart: Literal["not_empty"] | None = None
    condition: Annotated[Condition, AfterValidator(check_of_profile)] | None = None


class RollingCap(Part):
    """How many promotional messages a customer gets at most within a time, from all flows, by one channel or by any."""

    channel: Channel | None = None
    messages: int = Field(ge=1, le=100)
    within_ms: Logged = Field(alias="within")


class Caps(Part):
    """How many promotional messages a customer gets at most, from all flows: by each channel, and in a week."""

    per_channel_hours: int = Field(default=20, ge=0, le=720)
    per_week: int = Field(default=3, ge=0, le=100)
    rolling: tuple[RollingCap, ...] = ()


class QuietHours(Part):
    """Local times of day without promotional messages to the customer; they may pass midnight (from 21:00 to 08:00)."""

    from_minute: Clock = Field(alias="from")
    to_minute: Clock = Field(alias="to")

    @model_validator(mode="after")
    def _is_a_time(self) -> QuietHours:
        if self.from_minute == self.to_minute:
            raise ValueError("from and to are the same time of day, so no hour is quiet")
        return self

    def holds(self, minute: int) -> bool:
        """Return whether a time of day, in minutes since midnight, is quiet."""
        start, end = self.from_minute, self.to_minute
        return start <= minute < end if start < end else start <= minute or minute < end


class Validity(Part):
    """When customers may enter and messages may go out, from a time until another; both need an offset from UTC."""

    from_time: AwareDatetime | None = Field(default=None, alias="from")
    to_time: AwareDatetime | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _is_a_period(self) -> Validity:
        if self.from_time is None and self.to_time is None:
            raise ValueError("a period of validity needs from, to or both")
        if self.from_time is not None and self.to_time is not None and self.from_time >= self.to_time:
            raise ValueError("from is not before to, so the flow would never be valid")
        return self

    def holds(self, now_ms: int) -> bool:
        """Return whether a time is within the period."""
        return _ms(self.from_time, 0) <= now_ms < _ms(self.to_time, NEVER_MS)


def _ms(time: datetime | None, default: int) -> int:
    return default if time is None else round(time.timestamp() * 1000)


class Flow(Part):
    """One version of a flow. Durations are written as 30m, 2h or 7d."""

    id: Name
    version: int = Field(ge=1)
    owner: str = Field(min_length=1)
    goal: Goal
    stage: Literal["any", "prospect", "first_time", "active", "at_risk", "lapsed", "reactivated"]
    """The customers it is for, as a note to people; a condition on lifecycle keeps others out."""
    priority: int = Field(ge=0, le=100)
    """Of two flows due at the same time, the one with the higher priority is decided first."""
    message_class: Literal["transactional", "promotional"] = Field(alias="class")
    entry: Entry
    reentry_ms: Reentry = Field(default=0, alias="reentry")
    """How long after their last entry a customer may enter again; NEVER_MS: only once."""
    begins_anew: bool = False
    """Whether another entry takes a customer past the first message back to the start; otherwise it changes nothing."""
    wait: Wait = Wait()
    needs: Needs = Needs()
    channel: Channel | None = None
    channels: tuple[Channel, ...] | None = Field(default=None, min_length=1)
    """The channel with consent by which the customer answered last; the first one if they never answered."""
    expires_after_ms: Duration = Field(alias="expires_after")
    products: Literal["cart", "entry"] = "cart"
    """The articles that a message shows: those in the cart at the time, or those of the last entry event."""
    exits: tuple[EventType, ...] | None = None
    caps: Caps = Caps()
    quiet_hours: QuietHours | None = None
    send_time: Literal["at_once", "best"] = "at_once"
    """When to send: at once, or (best) at the customer's usual time of opening messages, if that is not too late."""
    when_outranked: Literal["wait", "drop"] = "wait"
    """Whether a message waits or is dropped when it meets a message of a flow with higher priority."""
    suppresses_ms: Logged | None = Field(default=None, alias="suppresses")
    """How long after its message no other flow sends a promotional message."""
    holdout_percent: float = Field(default=0, ge=0, le=100)
    valid: Validity | None = None
    relies_on: tuple[EventType, ...] = ()
    """Types of touchpoints without which it goes wrong, besides those of its entry and its goal.

    An anomaly is raised when one of them stops arriving.
    """
    running_customers: Literal["move", "finish"] = "move"
    """Whether customers in an older version move to this one, at the step of the same name, or finish theirs."""
    steps: Annotated[tuple[Step, ...], AfterValidator(check_ways)] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _agrees(self) -> Flow:
        if self.exits is not None and self.entry.event in self.exits:
            raise ValueError(f"exits must not name {self.entry.event}: the event of the entry never ends the flow")
        if (self.channel is None) == (self.channels is None):
            raise ValueError("a flow needs either channel or channels")
        if self.channels is not None and len(set(self.channels)) < len(self.channels):
            raise ValueError("channels names one channel twice")
        if not self.is_promotional and self.quiet_hours is not None:
            raise ValueError("quiet_hours are for promotional flows: a transactional message goes out at any hour")
        if not self.is_promotional and self.send_time == "best":
            raise ValueError("send_time is for promotional flows: a transactional message goes out at once")
        if not self.is_promotional and "when_outranked" in self.model_fields_set:
            raise ValueError("when_outranked is for promotional flows: a transactional message waits for no other")
        if self.products == "entry" and self.entry.event is None:
            raise ValueError("products: entry needs an entry by an event, which has articles to show")
        unnamed = sorted(self.relied_on.difference(self.relies_on))
        if self.relies_on and unnamed:
            raise ValueError(f"relies_on lacks {unnamed[0]}, which is the flow's entry or goal")
        if self.checks_goal and self.goal.event in self.exit_events:
            raise ValueError(
                f"check_goal has no effect: {self.goal.event} is the goal and already ends the flow (exits)"
            )
        return self

    @cached_property
    def relied_on(self) -> frozenset[str]:
        """Return the types of touchpoints without which the flow goes wrong."""
        return frozenset((*self.relies_on, self.goal.event, self.entry.event or self.goal.event))

    @cached_property
    def is_promotional(self) -> bool:
        """Return whether caps, quiet hours and the need for consent apply."""
        return self.message_class == "promotional"

    @cached_property
    def ordered_channels(self) -> tuple[Channel, ...]:
        """Return the channels for messages, best first."""
        return self.channels or (self.channel or get_args(Channel)[0],)

    @cached_property
    def first_due(self) -> str:
        """Return when the first step is due, for a sentence."""
        wait_ms, words = self.wait.for_ms, self.entry.words
        return f"{duration_text(wait_ms)} after {words}" if wait_ms or self.entry.date is None else words

    @property
    def checks_goal(self) -> bool:
        """Return whether a step checks the goal."""
        return any(isinstance(step, CheckGoalStep) for step in self.steps)

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
