"""Nothing plain behind the door: one rule for all texts of a touchpoint, whichever fields it has.

The fields are found in the structs, so a field that is added later is covered. A field of a kind that the rule does not
know stops the import.
"""

from __future__ import annotations

import types
import typing
from operator import is_
from typing import Any, Final, NamedTuple

import msgspec

from schemas.limits import CAMPAIGN_MAX, CONSENT_MAX, PROPERTY_MAX, TEXT_BYTES_MAX, TEXT_MAX
from schemas.touchpoint import PREVIOUS_ID, Consent, Marketing, Touchpoint
from streams.collect.addresses import may_hide, text_hash, without_addresses
from streams.collect.phones import without_phones
from streams.profiles.bounds import utf8_bytes

HAS_RULE_OF_ITS_OWN: Final = "email_hash"
"""Field whose address is the whole value, which the checks hash or refuse."""
FREE_TEXTS: Final = frozenset({"utm_content", "utm_term"})
"""Fields in which people write sentences; phone numbers are looked for there and in the values of properties."""
_FULLWIDTH_AT: Final = b"\xef\xbc\xa0"
_SMALL_AT: Final = b"\xef\xb9\xab"
_SPACE: Final = 32
_NUMBERS: Final = frozenset({int, float, bool})


class Fields(NamedTuple):
    """The fields of a struct that hold texts, by kind."""

    texts: tuple[str, ...]
    parts: tuple[str, ...]
    """Structs, or None."""
    lists: tuple[str, ...]
    """Tuples of structs."""
    maps: tuple[str, ...]
    """Names and values that are texts."""


def fields_of(struct: type) -> dict[type, Fields]:
    """Return the fields of a struct and of all structs in it.

    Raises:
        TypeError: a field of a kind that could hold texts, and that the rule does not know.
    """
    found: dict[str, list[str]] = {"texts": [], "parts": [], "lists": [], "maps": []}
    inner: dict[type, Fields] = {}
    for field in msgspec.structs.fields(struct):
        kind, holds = _kind(field.type, f"{struct.__name__}.{field.name}")
        if kind:
            found[kind].append(field.name)
        if holds is not None:
            inner |= fields_of(holds)
    return {struct: Fields(*[tuple(names) for names in found.values()]), **inner}


def _kind(declared: Any, name: str) -> tuple[str, type | None]:  # noqa: ANN401 - a type, as a struct declares it
    """Return of which kind a field is, and the struct that it holds; an empty kind holds no text."""
    arguments = typing.get_args(declared)
    if isinstance(declared, types.UnionType) or typing.get_origin(declared) is typing.Union:
        (declared,) = [each for each in arguments if each is not type(None)]
        arguments = typing.get_args(declared)
    if declared is str:
        return "texts", None
    if declared in _NUMBERS:
        return "", None
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        return "parts", declared
    if typing.get_origin(declared) is tuple and arguments[1:] == (...,) and issubclass(arguments[0], msgspec.Struct):
        return "lists", arguments[0]
    if declared == dict[str, str]:
        return "maps", None
    raise TypeError(f"{name} is a {declared}, and collect/hiding.py does not know where that has texts")


_SHORTER: Final[dict[type, int]] = {Marketing: CAMPAIGN_MAX, Consent: CONSENT_MAX}
"""Characters of texts in a part with limits of its own."""
_FIELDS: Final = fields_of(Touchpoint)
_WHOLE: Final = _FIELDS[Touchpoint]
_TOP: Final = Fields(
    tuple([name for name in _WHOLE.texts if name != HAS_RULE_OF_ITS_OWN]), _WHOLE.parts, _WHOLE.lists, ()
)
"""Without the maps, which are looked through for phone numbers as well."""


def may_be_plain(value: bytes, header: bytes) -> bool:
    """Return whether an Avro touchpoint may have an address in any text; fast, and never wrong about one that has.

    A length of 32 is the byte of an at sign, but before it is a number or an end, and before an at sign a letter.
    """
    if b"%" in value or b"&" in value or b"\\" in value or _FULLWIDTH_AT in value or _SMALL_AT in value:
        return True
    # the first byte after the header is the length of the first text
    at = value.find(b"@", len(header) + 1)
    while at >= 0:
        if value[at - 1] > _SPACE:
            return True
        at = value.find(b"@", at + 1)
    return False


def hidden(event: Touchpoint, *, may_have_address: bool = True) -> Touchpoint:
    """Return a touchpoint whose texts have no address and whose free texts have no phone number; the same if none had.

    Sizes must have been checked. What grows beyond its limit becomes the hash of the whole text, so none is refused
    for its hashes. `email_hash` is left to the checks.
    """
    if may_have_address:
        changes = _changes(event, _TOP, TEXT_MAX)
        if changes:
            event = msgspec.structs.replace(event, **changes)
    for name in _WHOLE.maps:
        held = getattr(event, name)
        if held and (new := without_plain(held)) is not held:
            event = msgspec.structs.replace(event, **{name: new})
    marketing = event.marketing
    if marketing is not None and (marketing.utm_content is not None or marketing.utm_term is not None):
        event = _without_phones(event, marketing)
    return event


def without_plain(properties: dict[str, str]) -> dict[str, str]:
    """Return properties without addresses in names and values, and without phone numbers in values.

    No two names become one: where the addresses of two differ in nothing but capitals or encoding, the second becomes
    the hash of the whole name as it came. The same dict if nothing had to be changed.
    """
    found = {name: _value(name, text) for name, text in properties.items()}
    if any(map(may_hide, found)):
        found = _renamed(found)
    return properties if found == properties else found


def masked(text: str) -> str:
    """Return a text for people without addresses and phone numbers: in details, logs and on screens."""
    return without_phones(without_addresses(text))


def shown(value: object, characters_max: int = 100) -> str:
    """Return the beginning of a value that a producer filled, in quotes, without addresses and phone numbers."""
    # an address that is cut off at the end of what is looked at is beyond what is shown
    return repr(masked(str(value)[: characters_max + TEXT_MAX])[:characters_max])


def _value(name: str, text: str) -> str:
    if name == PREVIOUS_ID:
        # an id is no free text, and has to become what it becomes as a user id
        return _text(text, TEXT_MAX)
    return _fitting(without_phones(without_addresses(text)), text, PROPERTY_MAX, 4 * PROPERTY_MAX)


def _renamed(properties: dict[str, str]) -> dict[str, str]:
    renamed = {name: _text(name, TEXT_MAX) for name in properties}
    taken = {name for name, new in renamed.items() if name == new}
    found: dict[str, str] = {}
    for name, value in properties.items():
        new = renamed[name]
        if new != name:
            if new in taken:
                new = text_hash(name)
            while new in taken:
                new = text_hash(new)
            taken.add(new)
        found[new] = value
    return found


def _changes(struct: msgspec.Struct, fields: Fields, characters_max: int) -> dict[str, Any]:
    """Return what has to be changed in a struct's own texts and in its parts."""
    changes: dict[str, Any] = {}
    for name in fields.texts:
        text = getattr(struct, name)
        if text is not None and may_hide(text):
            changes[name] = _text(text, characters_max)
    for name in fields.parts:
        part = getattr(struct, name)
        if part is not None:
            changes[name] = _part(part)
    for name in fields.lists:
        changes[name] = _items(getattr(struct, name))
    for name in fields.maps:
        changes[name] = without_plain(getattr(struct, name))
    return {name: new for name, new in changes.items() if new is not getattr(struct, name)}


def _items(items: tuple[msgspec.Struct, ...]) -> tuple[msgspec.Struct, ...]:
    found = tuple([_part(item) for item in items])
    return items if all(map(is_, found, items)) else found


def _part(part: msgspec.Struct) -> msgspec.Struct:
    kind = type(part)
    changes = _changes(part, _FIELDS[kind], _SHORTER.get(kind, TEXT_MAX))
    return msgspec.structs.replace(part, **changes) if changes else part


def _text(text: str, characters_max: int) -> str:
    return _fitting(without_addresses(text), text, characters_max, TEXT_BYTES_MAX)


def _fitting(new: str, text: str, characters_max: int, bytes_max: int) -> str:
    """Return the new text, or the hash of the whole old one where hashes made it longer than its limits."""
    if len(new) <= len(text) or (len(new) <= characters_max and utf8_bytes(new) <= bytes_max):
        return new
    return text_hash(text)


def _without_phones(event: Touchpoint, marketing: Marketing) -> Touchpoint:
    changes = {}
    for name in FREE_TEXTS:
        text = getattr(marketing, name)
        if text is not None and (new := without_phones(text)) is not text:
            changes[name] = new
    if not changes:
        return event
    return msgspec.structs.replace(event, marketing=msgspec.structs.replace(marketing, **changes))
