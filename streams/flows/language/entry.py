"""How customers enter a flow, and when its steps begin."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field, model_validator

from streams.flows.language.conditions import AgeIs, Condition, check_of_profile, required
from streams.flows.language.durations import Duration, duration_text
from streams.flows.language.events import FlowEvent
from streams.flows.language.fields import LAST_ORDER, SEGMENTS, TRAIT
from streams.flows.language.part import Part
from streams.flows.language.steps import CustomerDate, check_date


class Entry(Part):
    """The way into the flow: an event, a segment or a date, exactly one of the three."""

    event: FlowEvent | None = None
    """Enter at a touchpoint of this type, or at an event of your own: custom:NAME."""
    segment: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Enter when the customer moves into one of these RFM segments."""
    date: CustomerDate | None = None
    """Enter at this date of the profile, or at traits.NAME. The entry moves with the date; one already past starts
    nothing."""
    yearly: bool = False
    """Only with a date of traits: enter on its day in every year, at most once in 300 days."""
    before_ms: Duration = Field(default=0, alias="before")
    """Only with date: enter this long before it."""
    after_ms: Duration = Field(default=0, alias="after")
    """Only with date: enter this long after it. first_order and last_order need it."""
    condition: Condition | None = None
    """Enter only if this holds. Only an entry by an event may ask about the event.
    With at_least of last_order_age, customers who are in the segment before that enter when the time is reached."""

    @model_validator(mode="after")
    def _is_one(self) -> Entry:
        if sum(kind is not None for kind in (self.event, self.segment, self.date)) != 1:
            raise ValueError("an entry needs exactly one of event, segment and date")
        for name in self.segment or ():
            if name not in SEGMENTS:
                raise ValueError(f"there is no segment {name!r}; allowed are {', '.join(SEGMENTS)}")
        if self.yearly and not (self.date or "").startswith(TRAIT):
            raise ValueError("yearly needs a date of traits, such as traits.birthday")
        if self.date is not None:
            check_date(self.date, self.before_ms, self.after_ms)
        elif self.before_ms or self.after_ms:
            raise ValueError("before and after need a date, but the entry has none")
        if self.event is None:
            check_of_profile(self.condition)
        return self

    @cached_property
    def floor_ms(self) -> int:
        """Return how long ago the last order must be for an entry by a segment; 0: any time."""
        ages = [one for one in required(self.condition) if isinstance(one, AgeIs) and one.field == LAST_ORDER]
        return 0 if self.segment is None else max([age.at_least_ms or 0 for age in ages], default=0)

    @property
    def shift_ms(self) -> int:
        """From the date to the entry."""
        return self.after_ms - self.before_ms

    @property
    def words(self) -> str:
        """For a sentence: what happened."""
        if self.date is None:
            return self.event or "a new segment"
        day = f"the day of {self.date}" if self.yearly else self.date
        if not self.shift_ms:
            return f"on {day}"
        return f"{duration_text(abs(self.shift_ms))} {'before' if self.before_ms else 'after'} {day}"


class Wait(Part):
    """How long customers wait before the steps begin."""

    for_ms: Duration = Field(default=0, alias="for")
    """How long after the entry the first step is due."""
    restarts: bool = True
    """If true, another entry event before the first message starts the wait again."""
