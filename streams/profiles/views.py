"""What a customer looked at, in the categories that a published flow counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.units import DAY_MS
from streams.profiles.profile import VIEWS_MAX, CategoryView

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from schemas.touchpoint import Touchpoint

KEPT_DAYS = 30
"""Counted back from the newest view."""


def after(
    views: tuple[CategoryView, ...], event: Touchpoint, id_hash: int, categories: Collection[str]
) -> tuple[CategoryView, ...]:
    """Add a view in each of these categories that an event shows; return the same object if it shows none."""
    if event.type != "product_viewed":
        return views
    seen = {item.category for item in event.products if item.category in categories}
    return united(views, [CategoryView(event.time_ms, id_hash, str(category)) for category in seen]) if seen else views


def united(one: Iterable[CategoryView], other: Iterable[CategoryView]) -> tuple[CategoryView, ...]:
    """Unite both, each view once: the newest VIEWS_MAX of KEPT_DAYS."""
    ordered = sorted({*one, *other}, key=lambda view: (view.time_ms, view.id_hash, view.category))[-VIEWS_MAX:]
    return tuple([view for view in ordered if view.time_ms > ordered[-1].time_ms - KEPT_DAYS * DAY_MS])


def views_since(views: Iterable[CategoryView], category: str | None, after_ms: int) -> int:
    """Count the views in a category after a time."""
    return sum(view.category == category and view.time_ms > after_ms for view in views)
