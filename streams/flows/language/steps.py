"""The steps of a flow: what happens to a customer after the entry and the first wait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from streams.flows.language.arms import HOLDOUT, SHADOW, TREATMENT, UNASSIGNED
from streams.flows.language.conditions import Condition, check_of_profile
from streams.flows.language.durations import Clock, Duration
from streams.flows.language.fields import PAST_DATES, TRAIT, DateField
from streams.flows.language.part import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,59}$"
Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN)]
END = "end"
"""The name of a next step that means: the customer leaves the flow."""
_RESERVED_ARMS = (TREATMENT, HOLDOUT, SHADOW, UNASSIGNED)
_SHARES = 100


def _is_some(duration_ms: int) -> int:
    if not duration_ms:
        raise ValueError("it must be more than 0s")
    return duration_ms


def _trait_or_date(value: Any, of_orders: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - a part of the file
    if isinstance(value, str) and _TRAIT_DATE.fullmatch(value):
        return value
    return of_orders(value)


_TRAIT_DATE = re.compile(rf"{re.escape(TRAIT)}[A-Za-z0-9_.-]{{1,60}}")
CustomerDate: TypeAlias = Annotated[
    DateField,
    WrapValidator(
        _trait_or_date,
        json_schema_input_type=DateField | Annotated[str, Field(pattern=f"^{_TRAIT_DATE.pattern}$")],
    ),
]
"""A date that follows from a profile's orders, or an attribute of the customer that is one."""


def check_date(field: DateField, before_ms: int, after_ms: int) -> None:
    """Raise ValueError if the time before or after the date is not a single one, or is always past."""
    if before_ms and after_ms:
        raise ValueError("before and after are both given; give only one")
    if field in PAST_DATES and not after_ms:
        raise ValueError(f"{field} is always in the past; give after, with more than 0s")


class _Step(Part):
    name: Name
    """Name of the step in every record. Other steps refer to it."""


class _Linear(_Step):
    next: Name | None = None
    """The step that comes next: a later one, or end. Without it, the following one in the file."""


class TriggerStep(_Linear):
    """Sends a message, unless a rule forbids it."""

    do: Literal["trigger"]
    """Sends a message."""
    offer: Name | None = None
    """The offer in the message, as a name for your templates, such as ten_percent."""


class WaitStep(_Linear):
    """Waits for some time."""

    do: Literal["wait"]
    """Waits for some time."""
    for_ms: Annotated[Duration, AfterValidator(_is_some)] = Field(alias="for")
    """How long to wait."""


class WaitUntilStep(_Linear):
    """Waits for a time of day in the customer's time zone."""

    do: Literal["wait_until"]
    """Waits for a time of day."""
    time: Clock
    """The time of day, such as 10:00."""
    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] | None = Field(default=None, min_length=1)
    """Days of the week, from 1 for Monday to 7 for Sunday. Without it, every day."""


class WaitForDateStep(_Linear):
    """Waits for a date of the profile. A customer without that date leaves the flow."""

    do: Literal["wait_for_date"]
    """Waits for a date of the profile."""
    field: CustomerDate
    """The date to wait for: one of the profile, or traits.NAME."""
    before_ms: Duration = Field(default=0, alias="before")
    """Go on this long before the date."""
    after_ms: Duration = Field(default=0, alias="after")
    """Go on this long after the date. first_order and last_order need it."""

    @model_validator(mode="after")
    def _is_to_come(self) -> WaitForDateStep:
        check_date(self.field, self.before_ms, self.after_ms)
        return self


class BranchStep(_Step):
    """Continue with one of two steps, depending on a condition."""

    do: Literal["branch"]
    """Chooses between two steps by a condition."""
    condition: Annotated[Condition, AfterValidator(check_of_profile)] = Field(alias="if")
    """The condition, asked of the profile when the step is due."""
    then: Name | None = None
    """The step if the condition holds. Without it, the following one in the file."""
    otherwise: Name | None = Field(default=None, alias="else")
    """The step if the condition does not hold. Without it, the following one in the file."""

    @model_validator(mode="after")
    def _leads_to_two(self) -> BranchStep:
        if self.then == self.otherwise:
            raise ValueError("then and else name the same step, so there is nothing to choose")
        return self


class Arm(Part):
    """A share of the customers. A hash of flow and customer decides who belongs to it."""

    name: Name
    """Name of the arm in every record."""
    percent: float = Field(gt=0, le=100)
    """Share of the customers. The shares of all arms add up to 100."""
    next: Name | None = None
    """The step for this arm: a later one, or end. Without it, the following one in the file."""


class SplitStep(_Step):
    """Assigns each customer to one arm of an experiment, the same one in every version with the same arms."""

    do: Literal["split"]
    """Assigns customers to the arms of an experiment."""
    arms: tuple[Arm, ...] = Field(min_length=2)
    """The arms, two or more."""

    @model_validator(mode="after")
    def _shares_are_whole(self) -> SplitStep:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names) or not set(names).isdisjoint(_RESERVED_ARMS):
            raise ValueError(f"give each arm its own name, which is none of {', '.join(_RESERVED_ARMS)}")
        total = sum(arm.percent for arm in self.arms)
        if abs(total - _SHARES) > 1 / _SHARES:
            raise ValueError(f"the percent of its arms add up to {total:g}; they must add up to 100")
        return self


class CheckGoalStep(_Linear):
    """Ends the flow for customers who have reached its goal since they entered."""

    do: Literal["check_goal"]
    """Ends the flow if the goal is reached."""


Step: TypeAlias = Annotated[
    TriggerStep | WaitStep | WaitUntilStep | WaitForDateStep | BranchStep | SplitStep | CheckGoalStep,
    Field(discriminator="do"),
]
STEPS: dict[str, type[Part]] = {
    "trigger": TriggerStep,
    "wait": WaitStep,
    "wait_until": WaitUntilStep,
    "wait_for_date": WaitForDateStep,
    "branch": BranchStep,
    "split": SplitStep,
    "check_goal": CheckGoalStep,
}
"""Steps by the tag that an error's location has."""


def targets(step: Step) -> tuple[str | None, ...]:
    """Return the names of the steps that may come next; None: the next one in the file."""
    match step:
        case BranchStep(then=then, otherwise=otherwise):
            return then, otherwise
        case SplitStep(arms=arms):
            return tuple(arm.next for arm in arms)
        case _:
            return (step.next,)


def next_names(steps: Sequence[Step], place: int) -> tuple[str, ...]:
    """Return the names of the steps after the one at a place: one, or one for each way out; END: nothing."""
    following = steps[place + 1].name if place + 1 < len(steps) else END
    return tuple(name or following for name in targets(steps[place]))


def check_ways(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps if each can be reached, leads only forward, and is a message or is followed by one.

    Raises:
        ValueError: the message names the step.
    """
    places = {step.name: index for index, step in enumerate(steps)}
    if len(places) < len(steps) or (END in places and len(steps) > 1):
        raise ValueError(f"give each step its own name, and none the name {END}")
    if sum(isinstance(step, SplitStep) for step in steps) > 1:
        raise ValueError("only one step may split into arms, because a customer is in one arm of a flow")
    if not isinstance(steps[-1], TriggerStep):
        last = steps[-1].name
        raise ValueError(f"{last} is the last step and sends nothing; end with a trigger")  # noqa: TRY004 - a value
    reached = {0}
    for index, step in enumerate(steps):
        if index not in reached:
            raise ValueError(f"no step leads to {step.name}")
        for name in targets(step):
            if name == END:
                continue
            to = index + 1 if name is None else places.get(name, -1)
            if to <= index:
                raise ValueError(f"{step.name} leads to {name!r}; allowed are {END} and the names of later steps")
            reached.add(to)
        if not isinstance(step, TriggerStep) and set(targets(step)) == {END}:
            raise ValueError(f"nothing is sent after {step.name}: it leads only to {END}")
    return steps
