"""A customer's attributes: of each the last that was said, and of what stays the first, in any order of arrival.

Each trait has the same limit of bytes, and of more than TRAITS_MAX the last stay. So what is left out beside some is
left out beside more, and merges agree in whatever order they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.attribute_limits import ATTRIBUTE_NAME_MAX, FIRST_BYTES_MAX, TRAIT_BYTES_MAX, TRAITS_MAX
from streams.profiles.attributes import NONE, Attributes, First
from streams.profiles.bounds import utf8_bytes

if TYPE_CHECKING:
    from streams.profiles.profile import Touch
    from streams.profiles.sides import Sides

_replace = msgspec.structs.replace
Said = dict[str, tuple[int, str]]


def trait(attributes: Attributes | None, name: str) -> str | None:
    """Return the text of a trait; None: the customer has none."""
    return (attributes.texts.get(name) or None) if attributes is not None else None


def with_traits(attributes: Attributes | None, said: dict[str, str], time_ms: int) -> Attributes | None:
    """Return the attributes with what was said at a time; the same object if it changes nothing."""
    known = attributes or NONE
    after = _heard(known, said, (time_ms,) * len(said))
    return attributes if after is known else after


def with_channel(attributes: Attributes | None, channel: str, time_ms: int) -> Attributes | None:
    """Return the attributes with the channel of a touch, if it is the first."""
    known = attributes or NONE
    first = _earlier(known.channel, channel, time_ms)
    return attributes if first is known.channel else _replace(known, channel=first)


def with_signup(attributes: Attributes | None, source: str, time_ms: int) -> Attributes | None:
    """Return the attributes with the source of a sign-up, if it is the first."""
    known = attributes or NONE
    first = _earlier(known.signup_source, source, time_ms)
    return attributes if first is known.signup_source else _replace(known, signup_source=first)


def with_country(attributes: Attributes | None, country: str, time_ms: int) -> Attributes | None:
    """Return the attributes with a country, if it is the first."""
    known = attributes or NONE
    first = _earlier(known.country, country, time_ms)
    return attributes if first is known.country else _replace(known, country=first)


def united(one: Attributes | None, other: Attributes | None) -> Attributes | None:
    """Return the attributes of two profiles of one customer."""
    if one is None or other is None:
        return one or other
    both = _heard(one, other.texts, other.times)
    return _replace(
        both,
        channel=_first(one.channel, other.channel),
        signup_source=_first(one.signup_source, other.signup_source),
        country=_first(one.country, other.country),
    )


def divided(sides: Sides, touches: tuple[Touch, ...]) -> Attributes | None:
    """Return what the survivor of an undone merge has: what they had, and what was said since.

    `touches` are those that stay theirs: a first channel of the other user's may have kept out one of their own since.
    """
    now, before, merged, then = (
        each.attributes or NONE for each in (sides.now, sides.before, sides.merged, sides.then)
    )
    channel = _divided_first(now.channel, before.channel, (merged.channel, then.channel))
    channel = _first_of(channel, touches)
    signup = _divided_first(now.signup_source, before.signup_source, (merged.signup_source, then.signup_source))
    country = _divided_first(now.country, before.country, (merged.country, then.country))
    said = _divided_traits(*[_said(part) for part in (now, before, merged, then)])
    texts, times = {name: each[1] for name, each in said.items()}, {name: each[0] for name, each in said.items()}
    found = _with(Attributes({}, (), channel, signup, country), texts, times)
    return None if found == NONE else found


def with_channels(attributes: Attributes | None, touches: tuple[Touch, ...]) -> Attributes | None:
    """Return the attributes with the channel of the first of these touches, if it is the first."""
    known = attributes or NONE
    first = _first_of(known.channel, touches)
    return attributes if first is known.channel else _replace(known, channel=first)


def _first_of(known: First | None, touches: tuple[Touch, ...]) -> First | None:
    """Return the first channel, also of touches, which are in the order of their times."""
    for touch in touches:
        if touch.time_ms > touches[0].time_ms:
            break
        # those of one time are in the order of their ids, which a merge may not decide by
        known = _earlier(known, touch.channel, touch.time_ms)
    return known


def _divided_first(now: First | None, before: First | None, made: tuple[First | None, First | None]) -> First | None:
    return before if now in made else now


def _divided_traits(now: Said, before: Said, merged: Said, then: Said) -> Said:
    found = {}
    is_full = len(now) >= TRAITS_MAX
    for name in {**before, **now}:
        if name in now and now[name] not in {merged.get(name), then.get(name)}:
            found[name] = now[name]
        elif name in before and (name in now or name not in merged or is_full):
            found[name] = before[name]
    return found


def _said(attributes: Attributes) -> Said:
    """Return (time, text) of each trait."""
    return {
        name: (time_ms, text) for (name, text), time_ms in zip(attributes.texts.items(), attributes.times, strict=True)
    }


def _heard(known: Attributes, said: dict[str, str], said_ms: tuple[int, ...]) -> Attributes:
    """Return the attributes with the last of each trait; of one time it is the one with the greater text."""
    texts, times = dict(known.texts), dict(zip(known.texts, known.times, strict=True))
    for (name, text), time_ms in zip(said.items(), said_ms, strict=True):
        before_ms = times.get(name)
        if before_ms is not None and (time_ms, text) <= (before_ms, texts[name]):
            continue
        # the door has these limits too, but hiding an address makes a text longer
        if _fits(text, TRAIT_BYTES_MAX) and _fits(name, ATTRIBUTE_NAME_MAX):
            texts[name], times[name] = text, time_ms
    return _with(known, texts, times)


def _fits(text: str, bytes_max: int) -> bool:
    # a character has four bytes at most
    return len(text) * 4 <= bytes_max or utf8_bytes(text) <= bytes_max


def _with(attributes: Attributes, texts: dict[str, str], times: dict[str, int]) -> Attributes:
    """Return the attributes with these traits, of which the last stay; the same object if they are the same."""
    if len(times) > TRAITS_MAX:
        newest = sorted([(time_ms, name) for name, time_ms in times.items()])[-TRAITS_MAX:]
        times = {name: time_ms for time_ms, name in newest}
    names = sorted(times)
    shown, said_ms = {name: texts[name] for name in names}, tuple([times[name] for name in names])
    if shown == attributes.texts:
        # those that compare objects need not look at what was only said again
        shown = attributes.texts
        if said_ms == attributes.times:
            return attributes
    return Attributes(shown, said_ms, attributes.channel, attributes.signup_source, attributes.country)


def _earlier(known: First | None, text: str, time_ms: int) -> First | None:
    """Return what was first; the same object if it is known. A text beyond the limit is none."""
    if not text or (known is not None and (known.time_ms, known.text) <= (time_ms, text)):
        return known
    return First(time_ms, text) if utf8_bytes(text) <= FIRST_BYTES_MAX else known


def _first(one: First | None, other: First | None) -> First | None:
    if one is None or other is None:
        return one or other
    return one if (one.time_ms, one.text) <= (other.time_ms, other.text) else other
