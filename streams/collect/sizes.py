"""Checks how many lines and properties a touchpoint has, and how long its texts are."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from schemas.limits import (
    CAMPAIGN_MAX,
    CONSENT_MAX,
    LINES_KEPT,
    LINES_MAX,
    PROPERTIES_BYTES_MAX,
    PROPERTIES_MAX,
    PROPERTY_MAX,
    TEXT_BYTES_MAX,
    TEXT_MAX,
)
from streams.collect.refused import RefusedRecord
from streams.profiles.bounds import utf8_bytes

if TYPE_CHECKING:
    from schemas.touchpoint import Consent, Marketing, Message, Order, Page, Product, Touchpoint

    _Part: TypeAlias = Marketing | Message | Order | Consent | Product | Page  # noqa: PYI047 - used in annotations

_TEXTS = (
    "event_id",
    "source",
    "user_id",
    "anonymous_id",
    "email_hash",
    "session_id",
    "channel",
    "country",
    "time_zone",
    "name",
    "agent",
)
_SHORT: Final = TEXT_BYTES_MAX // 4
"""A text of so many characters is within its limit of bytes, whatever they are."""


def check_sizes(event: Touchpoint) -> None:
    """Check the number of lines and properties, and the lengths of all texts.

    Raises:
        RefusedRecord: it names what is too long or too many.
    """
    for name in _TEXTS:
        text = getattr(event, name)
        if text is not None and len(text) > _SHORT:
            _check_text(name, text, TEXT_MAX)
    _check_texts("marketing", event.marketing, CAMPAIGN_MAX)
    _check_texts("message", event.message, TEXT_MAX)
    _check_texts("order", event.order, TEXT_MAX)
    _check_texts("consent", event.consent, CONSENT_MAX)
    if len(event.products) > LINES_MAX:
        raise RefusedRecord("too_many", f"there are {len(event.products)} products; at most {LINES_MAX} are allowed")
    for product in event.products[:LINES_KEPT]:
        _check_texts("products", product, TEXT_MAX)
    _check_texts("page", event.page, TEXT_MAX)
    if event.properties or event.traits:
        _check_properties(event)


def _check_properties(event: Touchpoint) -> None:
    """Check properties and traits, which share their limits."""
    count, whole = len(event.properties) + len(event.traits), 0
    if count > PROPERTIES_MAX:
        raise RefusedRecord("too_many", f"there are {count} properties; at most {PROPERTIES_MAX} are allowed")
    for name, text in chain(event.properties.items(), event.traits.items()):
        if len(name) > _SHORT:
            _check_text("a property's name", name, TEXT_MAX)
        if len(text) > PROPERTY_MAX:
            raise RefusedRecord(
                "too_long", f"a property's value has {len(text)} characters; at most {PROPERTY_MAX} are allowed"
            )
        whole += utf8_bytes(name) + utf8_bytes(text)
    if whole > PROPERTIES_BYTES_MAX:
        raise RefusedRecord(
            "too_long", f"the properties have {whole} bytes together; at most {PROPERTIES_BYTES_MAX} are allowed"
        )


def _check_texts(
    name: str, part: Marketing | Message | Order | Consent | Product | Page | None, characters_max: int
) -> None:
    """Check the texts of a part, which profiles and ledger rows copy."""
    if part is None:
        return
    for field in part.__struct_fields__:
        text = getattr(part, field)
        if isinstance(text, str) and len(text) > _SHORT:
            _check_text(f"{name}.{field}", text, characters_max)


def _check_text(name: str, text: str, characters_max: int) -> None:
    if len(text) > characters_max:
        raise RefusedRecord("too_long", f"{name} has {len(text)} characters; at most {characters_max} are allowed")
    bytes_taken = utf8_bytes(text)
    if bytes_taken > TEXT_BYTES_MAX:
        raise RefusedRecord("too_long", f"{name} has {bytes_taken} bytes; at most {TEXT_BYTES_MAX} are allowed")
