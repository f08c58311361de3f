"""Names that producers choose, as metrics, alerts and reports may show them."""

from __future__ import annotations

import re

from xxhash import xxh3_64_hexdigest

from schemas.limits_of_quality import NAME_CHARS_MAX

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$\[\]-]*")
_DIGITS = re.compile(r"[0-9]{6}")
"""A row of digits may be a phone number or a customer's id."""


def shown_name(name: str) -> str:
    """Return a name that others chose as it may be shown: as it is if it is plain and short, else its hash.

    >>> shown_name("shop-eu"), shown_name("")
    ('shop-eu', 'none')
    >>> shown_name("ann@example.com")
    'x153a2ebaf4b79d8a'
    """
    if not name:
        return "none"
    if len(name) <= NAME_CHARS_MAX and _PLAIN.fullmatch(name) and not _DIGITS.search(name):
        return name
    return f"x{xxh3_64_hexdigest(name.encode(errors='replace'))}"
