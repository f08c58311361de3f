"""Limits of attributes, with their arithmetic; `limits` has all others, and the sum of a profile."""

from __future__ import annotations

from typing import Final

ATTRIBUTES_OF_EVENTS_MAX: Final = 50
"""Attributes of events in the catalogue. With TRAITS_MAX and ten properties of our own they are PROPERTIES_MAX."""
TRAITS_MAX: Final = 40
"""Attributes of customers in the catalogue, and traits that a profile keeps: the last by event time."""
ATTRIBUTE_NAME_MAX: Final = 40
"""Characters, and bytes, of an attribute's name."""
ATTRIBUTE_NAMES_BYTES_MAX: Final = 20_000
"""Bytes of all names in the catalogue, also those of sources: 90 attributes with five names of 44."""
ATTRIBUTE_BYTES_MAX: Final = 512
"""Bytes of the value of an event's attribute: 50 of them and 40 traits, with their names, have less than 40,000."""
TRAIT_BYTES_MAX: Final = 200
"""Bytes of a trait, as 40 of them are in a profile."""
FIRST_BYTES_MAX: Final = 128
"""Bytes of a channel, a source or a country that a profile keeps as its first."""
NUMBER_CHARS_MAX: Final = 40
"""Characters of a number, so that it is compared at a cost that is bounded."""
LIST_MAX: Final = 50
"""Texts of a list."""
RUN_ATTRIBUTES_BYTES_MAX: Final = 256
"""Bytes of what a run keeps of its event's attributes; its articles have the rest of RUN_PRODUCTS_BYTES_MAX."""
