"""Time zones: those of the package `tzdata`, never those of the machine, so that every worker decides by the same.

Importing this module turns the machine's zones off for the whole process, whatever PYTHONTZPATH says.
"""

from __future__ import annotations

import zoneinfo
from importlib.resources import files
from typing import Final

import tzdata

zoneinfo.reset_tzpath(())

TZDATA: Final[str] = tzdata.__version__
"""Version of the package, such as 2026.6; the IANA names the same release 2026f."""
_NO_ZONES: Final = frozenset({"Factory", "localtime", "posixrules"})
"""Names that mean whatever a machine is set to, or nothing."""
NAMES: Final = frozenset((files(tzdata) / "zones").read_text("utf-8").split()) - _NO_ZONES
"""All zones that there are."""
_BY_SMALL: Final = {name.lower(): name for name in sorted(NAMES)}
_CHARACTERS_MAX: Final = 64


def zone_name(text: str) -> str | None:
    """Return the name of the IANA zone that a text means, in any case and with blanks around it; None: it is none."""
    if text in NAMES:
        return text
    return _BY_SMALL.get(text.strip().lower()) if len(text) <= _CHARACTERS_MAX else None


def release_of(version: str) -> tuple[int, ...]:
    """Return a version of tzdata, such as 2026.6, as numbers to compare; of a text that is none, an empty tuple."""
    parts = version[:_CHARACTERS_MAX].split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()
