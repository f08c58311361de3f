"""Credit of a user who is merged: reversed under their id, and written again under the survivor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.limits import ROWS_MAX
from streams.attribution.ledger import rewritten
from streams.attribution.slices import written_of
from streams.profiles.profile import Uncredited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.attribution.slices import Written
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Conversion, Profile

_replace = msgspec.structs.replace


def with_credit_reversed(profile: Profile, at: Moment) -> Profile:
    """Return the profile with its open conversions as unwritten, from the newest on, until ROWS_MAX rows are reversed.

    So it reverses at most ROWS_MAX rows and those of one conversion more. Rows of older conversions stay under the id.
    """
    written, begin = written_of(profile), len(at.effects.outputs)
    conversions = list(profile.conversions)
    for place in range(len(conversions) - 1, -1, -1):
        if len(at.effects.outputs) - begin >= ROWS_MAX:
            break
        old = conversions[place]
        held = written.get(old.order_id, (old,))
        gone = rewritten(held, _replace(old, value_minor=0), at)
        if any(each.value_minor for each in held):
            conversions[place] = _replace(old, revision=gone.revision)
            written[old.order_id] = (gone,)
    return _replace(profile, conversions=tuple(conversions), uncredited=_listed(conversions, written))


def with_credit_elsewhere(profile: Profile, before: Profile) -> Profile:
    """Return a merged user's kept profile after a touchpoint: what had no rows has the survivor's."""
    written, had_rows = written_of(before), {each.order_id for each in before.conversions if each.value_minor}
    for each in profile.conversions:
        if each.value_minor and each.order_id not in {*had_rows, *written}:
            written[each.order_id] = (_replace(each, value_minor=0),)
    return _replace(profile, uncredited=_listed(profile.conversions, written))


def _listed(conversions: Iterable[Conversion], written: Written) -> tuple[Uncredited, ...]:
    return tuple(
        [Uncredited(each.order_id, written[each.order_id]) for each in conversions if each.order_id in written]
    )
