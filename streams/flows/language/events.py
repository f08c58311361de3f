"""Types of touchpoints and channels that a flow may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from schemas.touchpoint import CUSTOM

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

EventType: TypeAlias = Literal[
    "ad_clicked",
    "ad_impression",
    "checkout_started",
    "consent_changed",
    "email_bounced",
    "email_clicked",
    "email_delivered",
    "email_opened",
    "email_unsubscribed",
    "loyalty_changed",
    "order_cancelled",
    "order_completed",
    "order_refunded",
    "page_viewed",
    "product_added",
    "product_removed",
    "product_searched",
    "product_viewed",
    "promotion_clicked",
    "promotion_viewed",
    "push_opened",
    "signed_up",
    "sms_clicked",
    "sms_delivered",
    "ticket_closed",
    "ticket_opened",
]
Channel: TypeAlias = Literal["email", "sms", "push"]

OWN: Final = f"{CUSTOM}:"
"""Prefix of the name of an event of the shop's own."""
_NAME_MAX: Final = 100
_NAME_BYTES_MAX: Final = 140
"""So that facts keep it apart: DIMENSION_BYTES_MAX, less what names the dimension."""


def _own_or_canonical(value: Any, canonical: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - a part of the file
    if not isinstance(value, str) or not value.startswith(OWN):
        return canonical(value)
    name = value.removeprefix(OWN)
    if not name.strip() or len(name) > _NAME_MAX or len(name.encode(errors="replace")) > _NAME_BYTES_MAX:
        raise ValueError(f"write {OWN} and the event's name, of at most {_NAME_MAX} characters")
    return value


FlowEvent: TypeAlias = Annotated[
    EventType,
    WrapValidator(
        _own_or_canonical,
        json_schema_input_type=EventType | Annotated[str, Field(pattern=f"^{OWN}.{{1,{_NAME_MAX}}}$")],
    ),
]
"""A canonical type, or custom:NAME for an event of the shop's own."""


def heard_as(event: Touchpoint) -> str:
    """Return how flows name an event: its type, or custom: and its name."""
    return f"{OWN}{event.name}" if event.type == CUSTOM else event.type
