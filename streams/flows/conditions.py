"""Conditions of a flow's entry: checked when the file is read, compiled to closures at publication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.touchpoint import Touchpoint
    from streams.profiles.profile import Cart, Profile

    Holds = Callable[[Profile, Touchpoint], bool]


class Condition(BaseModel):
    """A figure of the profile, after the event, between two bounds (both included)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: Literal["cart_total_minor", "orders"]
    at_least: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Condition:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a condition needs at_least, at_most or both")
        return self


def compile_condition(condition: Condition) -> Holds:
    """A closure that says whether the condition holds for the profile and the event."""
    read = _FIELDS[condition.field]
    at_least, at_most = condition.at_least, condition.at_most

    def holds(profile: Profile, event: Touchpoint) -> bool:
        figure = read(profile, event)
        return (at_least is None or figure >= at_least) and (at_most is None or figure <= at_most)

    return holds


def cart_total_minor(cart: Cart | None) -> int:
    """What lies in the cart, in minor units."""
    return 0 if cart is None else sum([item.price_minor * item.quantity for item in cart.items])


def _cart_total_minor(profile: Profile, _event: Touchpoint) -> int:
    return cart_total_minor(profile.cart)


def _orders(profile: Profile, _event: Touchpoint) -> int:
    return len(profile.orders) + sum(month.orders for month in profile.months)


_FIELDS: dict[str, Callable[[Profile, Touchpoint], int]] = {
    "cart_total_minor": _cart_total_minor,
    "orders": _orders,
}
