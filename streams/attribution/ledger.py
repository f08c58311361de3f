"""Credit as rows that add up: what changes is reversed and written again, and nothing is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.journal import RULES_3
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
    """Credit an order, whose own touch is already in the profile, and return the open conversions.

    A repeated order id changes nothing. An order older than OPEN_MS is credited, but not kept open.
    """
    order, conversions = event.order, profile.conversions
    if order is None or any(conversion.order_id == order.order_id for conversion in conversions):
        return conversions
    path = path_of(profile.touches, event.time_ms, at.settings)
    conversion = Conversion(order.order_id, event.time_ms, order.total_minor, order.currency, path, 0)
    write_changes((), conversion, at)
    return _kept_open((*conversions, conversion), at.now_ms)


def refunded(profile: Profile, event: Touchpoint, refund_minor: int, at: Moment) -> Conversions:
    """Take a refund of refund_minor >= 0 from its conversion's credit, and return the open conversions.

    It takes at most what the conversion still is worth. A refund of no open conversion, or in another currency,
    is credited as UNATTRIBUTED_REFUND with a negative amount.
    """
    order, conversions = event.order, profile.conversions
    if order is None or not refund_minor:
        return conversions
    for index, old in enumerate(conversions):
        if old.order_id == order.order_id and old.currency == order.currency:
            left_minor = max(old.value_minor - refund_minor, 0)
            if left_minor == old.value_minor:
                return conversions
            new = rewritten((old,), _replace(old, value_minor=left_minor), at)
            return (*conversions[:index], new, *conversions[index + 1 :])
    unattributed = Conversion(order.order_id, event.time_ms, -refund_minor, order.currency, (), 0)
    for model in MODELS:
        written = _Written("credit", UNATTRIBUTED_REFUND, event.event_id)
        _write(model, ((None, -refund_minor),), unattributed, written, at)
    return conversions


def write_unattributed(order_id: str, dated: tuple[int, str], amount_minor: int, at: Moment) -> None:
    """Credit a refund of no open conversion, (time, currency), as UNATTRIBUTED_REFUND, or above 0 take it out again."""
    time_ms, currency = dated
    conversion = Conversion(order_id, time_ms, amount_minor, currency, (), 0)
    written = _Written(
        "credit" if amount_minor < 0 else "reversal", UNATTRIBUTED_REFUND, f"{at.cause}:{time_ms}:{currency}"
    )
    for model in MODELS:
        _write(model, ((None, amount_minor),), conversion, written, at)


def write_direct(order_id: str, dated: tuple[int, str], amount_minor: int, at: Moment) -> None:
    """Credit an order of no open conversion, (time, currency), as DIRECT, or below 0 take it out again."""
    time_ms, currency = dated
    conversion = Conversion(order_id, time_ms, amount_minor, currency, (), 0)
    written = _Written("credit" if amount_minor > 0 else "reversal", "", at.cause)
    for model in MODELS if amount_minor else ():
        _write(model, ((None, amount_minor),), conversion, written, at)


def retouched(profile: Profile, touch: Touch, at: Moment) -> Conversions:
    """Credit again what a late touch changes, and return the open conversions; the same object if it changes none.

    The profile's touches already hold it.
    """
    conversions = profile.conversions
    if not conversions or touch.time_ms > conversions[-1].time_ms:
        return conversions
    changed = tuple(
        _repathed((old,), old, profile.touches, at) if may_change(touch, old, at.settings) else old
        for old in conversions
    )
    return conversions if all(new is old for new, old in zip(changed, conversions, strict=True)) else changed


def merged(profile: Profile, other: Profile, at: Moment) -> tuple[tuple[Touch, ...], Conversions]:
    """Unite touches and conversions of two profiles as they were before the merge, and credit again what changes.

    Paths follow from the united touches. Of an order in both, the lesser value holds, because one profile knows of a
    refund, and one set of rows stays.
    """
    touches = touch_rules.united(profile.touches, other.touches)
    by_order: dict[str, tuple[Conversion, ...]] = {}
    for conversion in (*profile.conversions, *other.conversions):
        by_order[conversion.order_id] = (*by_order.get(conversion.order_id, ()), conversion)
    changed = tuple(_repathed(olds, min(olds, key=worth), touches, at) for olds in by_order.values())
    return touch_rules.bounded(touches, at.now_ms), _kept_open(changed, at.now_ms)


def worth(conversion: Conversion) -> tuple[int, int, str]:
    return conversion.value_minor, conversion.time_ms, conversion.currency


def may_change(touch: Touch, conversion: Conversion, settings: DomainSettings) -> bool:
    """Return whether the touch may join the path, or replace a later one of the same visit in it."""
    return bool(path_of((touch,), conversion.time_ms, settings)) or any(
        touch_rules.is_repeat(other, touch) for other in conversion.path
    )


def path_of(touches: Sequence[Touch], conversion_ms: int, settings: DomainSettings) -> tuple[Touch, ...]:
    """Return the touches in the lookback of a conversion; views have a lookback of their own."""
    first_ms, first_view_ms = conversion_ms - settings.lookback_ms, conversion_ms - settings.view_lookback_ms
    return tuple(
        [touch for touch in touches if (first_view_ms if touch.is_view else first_ms) <= touch.time_ms <= conversion_ms]
    )


def _repathed(olds: Conversions, conversion: Conversion, touches: tuple[Touch, ...], at: Moment) -> Conversion:
    all_touches = touch_rules.united(touches, *(old.path for old in olds))
    path = path_of(all_touches, conversion.time_ms, at.settings)
    if len(olds) == 1 and path == conversion.path:
        return conversion
    return rewritten(olds, _replace(conversion, path=path), at)


def rewritten(olds: Conversions, new: Conversion, at: Moment) -> Conversion:
    """Bring the ledger from the old conversions' rows to those of the new; raise the revision if rows changed."""
    new = _replace(new, revision=max(old.revision for old in olds) + 1)
    if write_changes(olds, new, at):
        return new
    return _replace(new, revision=new.revision - 1)


def write_changes(olds: Conversions, new: Conversion, at: Moment) -> bool:
    """Reverse the old rows and write the new ones, per model; return whether any row was written.

    An old conversion whose rows equal the new ones keeps them.
    """
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
    """Return (touch, amount in minor units) by one model; None: direct. Amounts sum to the value, and none is 0."""
    value_minor, path = conversion.value_minor, conversion.path
    if not path:
        return ((None, value_minor),) if value_minor else ()
    amounts = MODELS[model].split(value_minor, path)
    return tuple([(touch, amount) for touch, amount in zip(path, amounts, strict=True) if amount])


class _Written(NamedTuple):
    kind: str
    channel: str
    """The channel of a row without a touch; empty: direct."""
    apart: str
    """Separates rows of one order, model, touch, revision and kind; mostly empty."""


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
    # the channel comes last, as it may be any text; earlier rules had it in the middle
    head, tail = (f"model={model}{by_currency}", "") if at.rules >= RULES_3 else (f"model={model}", by_currency)
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
        effects.count("credited_minor", time_ms, amount_minor, f"{head},channel={channel}{tail}")


def _kept_open(conversions: Conversions, now_ms: int) -> Conversions:
    """Return the newest CONVERSIONS_MAX that are no older than OPEN_MS, in order."""
    recent = [conversion for conversion in conversions if conversion.time_ms >= now_ms - OPEN_MS]
    recent.sort(key=by_time)
    return tuple(recent[-CONVERSIONS_MAX:])


def by_time(conversion: Conversion) -> tuple[int, str]:
    return conversion.time_ms, conversion.order_id
