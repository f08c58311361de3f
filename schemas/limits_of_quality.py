"""Limits of what is counted about the data that comes in, and of flows that hold their messages because of it."""

from __future__ import annotations

from typing import Final

HOLDS_MAX: Final = 200
"""Flows that hold their messages, each with a cause and why: 200 x (64 + 16 + 400) are 96,000 bytes."""
WHY_HELD_BYTES_MAX: Final = 400
"""Of why a flow holds its messages."""

# ------------------------------------------------------------------------------------- what is counted of arrivals

LOOKED_AT_EVERY: Final = 16
"""Of so many touchpoints of a series one is looked at closely; the first of a commit always is."""
NAME_CHARS_MAX: Final = 60
"""Of a source or a field as it is shown; a longer or odd one is a hash of 16 digits."""
FIELDS_LOOKED_MAX: Final = 100
"""Fields of one touchpoint that are looked at."""
DEPTH_LOOKED_MAX: Final = 4
"""Levels of a record's nesting that are looked at."""
SERIES_A_RECORD: Final = 1_000
FIELDS_A_RECORD: Final = 5_000
"""In one record of arrivals: 1,000 x (2 x 60 + 9 x 10) + 5,000 x (60 + 6 + 5) bytes are 565,000."""
SERIES_TAKEN_MAX: Final = 4_000
"""Series in a record of arrivals that insights take; ours have fewer."""
SERIES_MAX: Final = 200
"""Sources and types that insights keep apart; the others are added up."""
FIELDS_MAX: Final = 100
"""Fields of a series that insights keep apart, each with 60 bytes of name, 7 shares of 9 and 6 kinds of 12: 20 kB."""
HOURS_KEPT: Final = 5 * 7 * 24
"""Hours of a series that are kept: four weeks, and the one that is judged. 840 of 10 bytes are 8.4 kB."""
DAYS_KEPT: Final = 40
"""Days of which it is known whether anything came in."""
