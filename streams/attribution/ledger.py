"""Credit as rows that add up: what changes is reversed and written anew, nothing is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.outputs import Credit
from schemas.units import DAY_MS
from streams.attribution import touches as touch_rules
from streams.attribution.models import MODELS
from streams.attribution.touches import DIRECT
from streams.profiles.effects import derived_id
from streams.profiles.profile import CONVERSIONS_MAX, Conversion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.touchpoint import Touchpoint
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile, Touch
    from streams.settings import DomainSettings

    Conversions = tuple[Conversion, ...]
    Rows = tuple[tuple[Touch | None, int], ...]

OPEN_MS = 180 * DAY_MS
UNATTRIBUTED_REFUND = "unattributed_refund"

_replace = msgspec.structs.replace
_UNSIGNED_64 = (1 << 64) - 1


def converted(profile: Profile, event: Touchpoint, at: Moment) -> Conversions:
    """The conversions after an order, whose own touch is already in the profile; a known order id changes nothing.

    An order older than OPEN_MS is credited, but not kept open.
    """
    order, known = event.order, profile.conversions
    if order is None or any(conversion.order_id == order.order_id for conversion in known):
        return known
    path = _path(profile.touches, event.time_ms, at.settings)
    conversion = Conversion(order.order_id, event.time_ms, order.total_minor, order.currency, path, 0)
    _write_changes((), conversion, at)
    return _kept_open((*known, conversion), at.now_ms)


def refunded(profile: Profile, event: Touchpoint, refund_minor: int, at: Moment) -> Conversions:
    """The conversions after a refund of refund_minor >= 0, which takes at most what the conversion still is worth.

    One of no open conversion, or in another currency than it, is credited as UNATTRIBUTED_REFUND, negative.
    """
    order, known = event.order, profile.conversions
    if order is None or not refund_minor:
        return known
    for index, old in enumerate(known):
        if old.order_id == order.order_id and old.currency == order.currency:
            left_minor = max(old.value_minor - refund_minor, 0)
            if left_minor == old.value_minor:
                return known
            new = _rewritten((old,), _replace(old, value_minor=left_minor), at)
            return (*known[:index], new, *known[index + 1 :])
    unknown = Conversion(order.order_id, event.time_ms, -refund_minor, order.currency, (), 0)
    for model in MODELS:
        written = _Written("credit", UNATTRIBUTED_REFUND, event.event_id)
        _write(model, ((None, -refund_minor),), unknown, written, at)
    return known


def retouched(profile: Profile, touch: Touch, at: Moment) -> Conversions:
    """The conversions after a late touch, which the profile's touches already hold; the same object if none changes."""
    known = profile.conversions
    if not known or touch.time_ms > known[-1].time_ms:
        return known
    changed = tuple(
        _repathed((old,), old, profile.touches, at) if _may_concern(touch, old, at.settings) else old for old in known
    )
    return known if all(new is old for new, old in zip(changed, known, strict=True)) else changed


def merged(profile: Profile, other: Profile, at: Moment) -> tuple[tuple[Touch, ...], Conversions]:
    """Touches and conversions of both profiles, as they were before the merge; paths follow from the united touches.

    Of an order that both have, the lesser value holds (one of them knows of a refund), and one set of rows stays.
    """
    touches = touch_rules.united(profile.touches, other.touches)
    standing: dict[str, tuple[Conversion, ...]] = {}
    for conversion in (*profile.conversions, *other.conversions):
        standing[conversion.order_id] = (*standing.get(conversion.order_id, ()), conversion)
    changed = tuple(_repathed(olds, min(olds, key=_worth), touches, at) for olds in standing.values())
    return touch_rules.bounded(touches, at.now_ms), _kept_open(changed, at.now_ms)


def _worth(conversion: Conversion) -> tuple[int, int, str]:
    return conversion.value_minor, conversion.time_ms, conversion.currency


def _may_concern(touch: Touch, conversion: Conversion, settings: DomainSettings) -> bool:
    """Whether the touch joins the path, or takes the place of a later one of the same visit that is in it."""
    return bool(_path((touch,), conversion.time_ms, settings)) or any(
        touch_rules.is_repeat(known, touch) for known in conversion.path
    )


def _path(touches: Sequence[Touch], conversion_ms: int, settings: DomainSettings) -> tuple[Touch, ...]:
    """The touches in the lookback of a conversion; views have their own."""
    first_ms, first_view_ms = conversion_ms - settings.lookback_ms, conversion_ms - settings.view_lookback_ms
    return tuple(
        [touch for touch in touches if (first_view_ms if touch.is_view else first_ms) <= touch.time_ms <= conversion_ms]
    )


def _repathed(olds: Conversions, conversion: Conversion, touches: tuple[Touch, ...], at: Moment) -> Conversion:
    known = touch_rules.united(touches, *(old.path for old in olds))
    path = _path(known, conversion.time_ms, at.settings)
    if len(olds) == 1 and path == conversion.path:
        return conversion
    return _rewritten(olds, _replace(conversion, path=path), at)


def _rewritten(olds: Conversions, new: Conversion, at: Moment) -> Conversion:
    """Brings the ledger from the old conversions' rows to those of the new; counts the revision if rows changed."""
    new = _replace(new, revision=max(old.revision for old in olds) + 1)
    if _write_changes(olds, new, at):
        return new
    return _replace(new, revision=new.revision - 1)


def _write_changes(olds: Conversions, new: Conversion, at: Moment) -> bool:
    """Per model, unless one old conversion's rows are the new ones: reverses the others and credits the new."""
    has_written = False
    for model in MODELS:
        wanted = _rows(model, new)
        kept = None
        if olds:
            kept = next((old for old in olds if _is_dated_alike(old, new) and _rows(model, old) == wanted), None)
        for index, old in enumerate(olds):
            if old is kept:
                continue
            rows = tuple([(touch, -amount_minor) for touch, amount_minor in _rows(model, old)])
            written = _Written("reversal", "", str(index) if index else "")
            _write(model, rows, _replace(old, revision=new.revision), written, at)
            has_written = has_written or bool(rows)
        if kept is None:
            _write(model, wanted, new, _CREDIT, at)
            has_written = has_written or bool(wanted)
    return has_written


def _is_dated_alike(one: Conversion, other: Conversion) -> bool:
    return one.time_ms == other.time_ms and one.currency == other.currency


def _rows(model: str, conversion: Conversion) -> Rows:
    """(touch, or None for direct; amount in minor units) of one model; they sum to the value, none is 0."""
    value_minor, path = conversion.value_minor, conversion.path
    if not path:
        return ((None, value_minor),) if value_minor else ()
    amounts = MODELS[model].split(value_minor, path)
    return tuple([(touch, amount) for touch, amount in zip(path, amounts, strict=True) if amount])


class _Written(NamedTuple):
    kind: str
    channel: str
    """Where there is no touch; empty: direct."""
    apart: str
    """Keeps apart rows of one order, model, touch, revision and kind; mostly empty."""


_CREDIT = _Written("credit", "", "")


def _write(model: str, rows: Rows, conversion: Conversion, written: _Written, at: Moment) -> None:
    customer, effects = at.customer, at.effects
    if effects.is_of_flows_only:
        return
    order_id, time_ms, currency, revision = (
        conversion.order_id,
        conversion.time_ms,
        conversion.currency,
        conversion.revision,
    )
    kind, channel_without, apart = written
    by_currency = "" if currency == at.settings.reporting_currency else f",currency={currency}"
    for touch, amount_minor in rows:
        if touch is None:
            touch_id, channel, campaign_id, touch_ms = None, channel_without or DIRECT, None, None
        else:
            touch_id, channel = f"{touch.id_hash & _UNSIGNED_64:016x}", touch.channel
            campaign_id, touch_ms = touch.campaign_id, touch.time_ms
        parts = (customer, order_id, model, touch_id or channel, revision, kind)
        effects.emit(
            customer,
            Credit(
                credit_id=derived_id(*parts, apart) if apart else derived_id(*parts),
                customer=customer,
                order_id=order_id,
                model=model,
                model_version=MODELS[model].version,
                kind=kind,
                channel=channel,
                amount_minor=amount_minor,
                currency=currency,
                conversion_time_ms=time_ms,
                time_ms=at.now_ms,
                revision=revision,
                cause=at.cause,
                campaign_id=campaign_id,
                touch_id=touch_id,
                touch_time_ms=touch_ms,
            ),
        )
        effects.count("credited_minor", time_ms, amount_minor, f"model={model},channel={channel}{by_currency}")


def _kept_open(conversions: Conversions, now_ms: int) -> Conversions:
    """In order, no older than OPEN_MS, at most the newest CONVERSIONS_MAX."""
    standing = [conversion for conversion in conversions if conversion.time_ms >= now_ms - OPEN_MS]
    standing.sort(key=_by_time)
    return tuple(standing[-CONVERSIONS_MAX:])


def _by_time(conversion: Conversion) -> tuple[int, str]:
    return conversion.time_ms, conversion.order_id
