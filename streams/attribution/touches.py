"""Which touchpoints are marketing touches, and the bounded list of them that a profile keeps."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Final

from schemas.units import DAY_MS
from streams.profiles.profile import TOUCHES_MAX, Touch

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

KEPT_MS = 90 * DAY_MS
VISIT_MS = 30 * 60_000
DIRECT: Final = "direct"

_VIEWS = {"ad_impression", "email_opened", "promotion_viewed"}
_DEFAULT_CHANNELS = {
    "ad_clicked": "ads",
    "ad_impression": "ads",
    "email_clicked": "email",
    "email_opened": "email",
    "promotion_clicked": "promotion",
    "promotion_viewed": "promotion",
    "push_opened": "push",
    "sms_clicked": "sms",
    # part of a visit, so a touch only if it names the channel that brought the customer
    "checkout_started": DIRECT,
    "order_completed": DIRECT,
    "page_viewed": DIRECT,
    "product_added": DIRECT,
    "product_removed": DIRECT,
    "product_searched": DIRECT,
    "product_viewed": DIRECT,
    "signed_up": DIRECT,
}


def touch_of(event: Touchpoint, event_hash: int, session_hash: int) -> Touch | None:
    """Return the marketing touch that an event is; None: it is a direct visit, or no touch at all.

    event_hash is xxh3-64 of the event id, signed; session_hash that of the session id, 0 without one.
    """
    kind = event.type
    default = _DEFAULT_CHANNELS.get(kind)
    if default is None:
        return None
    channel = event.channel or default
    if channel == DIRECT:
        return None
    marketing = event.marketing
    campaign = None if marketing is None else marketing.campaign_id or marketing.utm_campaign
    return Touch(event.time_ms, event_hash, channel, campaign, session_hash, kind in _VIEWS)


def add_touch(touches: tuple[Touch, ...], touch: Touch, now_ms: int) -> tuple[Touch, ...]:
    """Add a touch and bound the list; return the same object if it repeats an earlier touch or is out of bounds.

    The earliest of touches that repeat each other stays, so that the order of arrival does not matter.
    """
    if touch.time_ms < now_ms - KEPT_MS:
        return touches
    if touches and touches[-1].time_ms < touch.time_ms and is_repeat(touches[-1], touch):
        return touches  # by far the most frequent: one more page of this visit
    repeated = _repeated(touches, touch)
    if repeated is not None:
        if by_time(repeated) <= by_time(touch):
            return touches
        touches = tuple(other for other in touches if other is not repeated)
    elif len(touches) >= TOUCHES_MAX and by_time(touch) < by_time(touches[0]):
        return touches
    if not touches or by_time(touches[-1]) < by_time(touch):
        return bounded((*touches, touch), now_ms)
    ordered = list(touches)
    insort(ordered, touch, key=by_time)
    return bounded(tuple(ordered), now_ms)


def _repeated(touches: tuple[Touch, ...], touch: Touch) -> Touch | None:
    session_hash, channel = touch.session_hash, touch.channel
    for other in reversed(touches):
        if other.session_hash == session_hash and other.channel == channel and is_repeat(other, touch):
            return other
    return None


def is_repeat(one: Touch, other: Touch) -> bool:
    """Return whether both are of one visit, by one channel and campaign.

    A visit is a session, or without one a half hour of the clock. A distance in time would depend on which touch came
    first, and touches come late.
    """
    return (
        one.session_hash == other.session_hash
        and one.channel == other.channel
        and one.campaign_id == other.campaign_id
        and one.is_view == other.is_view
        and (one.session_hash != 0 or one.time_ms // VISIT_MS == other.time_ms // VISIT_MS)
    )


def united(*lists: tuple[Touch, ...]) -> tuple[Touch, ...]:
    """Unite lists of touches, in order and without repeats; not bounded."""
    firsts: dict[tuple[int, str, str | None, bool, int], Touch] = {}
    for touch in sorted((touch for touches in lists for touch in touches), key=by_time):
        half_hour = 0 if touch.session_hash else touch.time_ms // VISIT_MS
        visit = (touch.session_hash, touch.channel, touch.campaign_id, touch.is_view, half_hour)
        firsts.setdefault(visit, touch)
    return tuple(firsts.values())


def bounded(touches: tuple[Touch, ...], now_ms: int) -> tuple[Touch, ...]:
    """Return the newest TOUCHES_MAX that are no older than KEPT_MS, of touches in order."""
    oldest_ms = now_ms - KEPT_MS
    first = max(len(touches) - TOUCHES_MAX, 0)
    while first < len(touches) and touches[first].time_ms < oldest_ms:
        first += 1
    return touches[first:]


def by_time(touch: Touch) -> tuple[int, int]:
    """Return the key that orders touches."""
    return touch.time_ms, touch.id_hash
