"""Every limit of size, number and amount, with its arithmetic; the sections are in the order of a record's way.

They are constants, so that no setting of a topic, no framing and no version of Python decides what is taken.
Bytes of texts are those of UTF-8, where a character takes one to four.
"""

from __future__ import annotations

from schemas.touchpoint import ITEMS_MAX

# ---------------------------------------------------------------------------------------------- a record at the door

VALUE_BYTES_MAX = 900_000
"""As it comes, and again as it goes into the journal: hashing makes an address of 5 characters 64 long.

Below Kafka's default of 1,048,588 bytes for a batch, with room for the key (TEXT_BYTES_MAX + 2), headers and framing.
"""
NESTING_MAX = 100
"""Levels of a Segment call; their spec needs 5, and every version of Python parses this many."""
SCHEMA_BYTES_MAX = 200_000
"""Characters of a writer's schema in a registry; our own touchpoint has 5,000."""

# ------------------------------------------------------------------------------------------- a touchpoint's own texts

TEXT_MAX = 512
"""Characters of any text but those below."""
CAMPAIGN_MAX = 256
"""Characters of a text of `marketing`."""
TEXT_BYTES_MAX = 512
"""Bytes of any text but a property's value, because profiles, ledger rows, triggers and facts copy them.

So ASCII may fill TEXT_MAX, two-byte scripts 256 characters, and Chinese 170. The largest sums follow: 100 touches of a
channel and a campaign are 102,400 bytes, 50 articles of a cart 25,600.
"""
PROPERTIES_MAX = 100
PROPERTY_MAX = 4_096
"""Characters of a property's value, such as a URL with its query."""
PROPERTIES_BYTES_MAX = 65_536
"""Bytes of all names and values of the properties together: at most 10,922 addresses, which are hashed one by one."""

# ------------------------------------------------------------------------------------------------ a touchpoint's lines

LINES_MAX = ITEMS_MAX
"""Lines of an order or a cart that are read. With 4 bytes for the shortest line, a value could hold 225,000."""
LINES_KEPT = 200
"""Lines that go on, from the first; the order's total counts all. The largest lines are then 200 x 2 x 512 bytes."""

# ------------------------------------------------------------------------------------------- a touchpoint's numbers

TIME_MS_MIN = 631_152_000_000
"""1990-01-01."""
TIME_MS_MAX = 3_471_292_800_000
"""2080-01-01: a replay does not compare times with a clock, so this bounds how many weekly timers can fire."""
MINOR_MAX = 10**14
"""Minor units of one amount: 10^12 EUR; in rupiah and rial, with two digits, more than 10^12 of them.

An Avro long ends at 9.22 x 10^18, which is 92,233 such amounts; an hour may bring more, at 10,000 touchpoints a second
36,000,000. No limit for one order that lets honest ones through makes their sum safe, so sums are checked as well.
"""
QUANTITY_MAX = 10**7
"""Pieces of one line: 214 of them fit into an Avro int."""

# ------------------------------------------------------------------------------------------------------ a dead letter

LETTER_DETAIL_MAX = 8_000
"""Characters of its detail."""
LETTER_BYTES_MAX = 10 * 1024 * 1024
"""Bytes of a record that it keeps as it came: more than `touchpoints` takes, less than `dead-letters` does."""
LETTER_KEY_BYTES_MAX = 1_024
"""Bytes of the key that is kept of a larger record."""
LETTER_HEADERS_MAX = 1_000
"""Headers that it keeps. A header takes 2 bytes or more, so one record may have hundreds of thousands."""

# ------------------------------------------------------------------------------------------------------------- facts

LONG_MAX = (1 << 63) - 1
LONG_MIN = -(1 << 63)
"""The longs of Avro and of msgpack."""
LONG_BYTES_MAX = 10
"""Bytes of one long in Avro."""
CHARACTER_BYTES_MAX = 4
FACTS_BYTES_MAX = 900_000
"""Of one record, as at the door."""
FACTS_COUNTS_MAX = 2_000
"""Counts of one record that we write, so that insights add up a record in about 20 ms."""
FACTS_ROWS_MAX = 1_000
"""Panel rows of one record that we write."""
COUNT_BYTES_MIN = 4 * LONG_BYTES_MAX
"""Of one count without its texts: two lengths, the hour and the value."""
ROW_BYTES_MAX = 6 * LONG_BYTES_MAX + 8
"""Of one panel row: six longs and a double."""
COUNTS_BYTES_MAX = FACTS_BYTES_MAX - FACTS_ROWS_MAX * ROW_BYTES_MAX - 100
"""Of the counts of one record; the last 100 bytes are for its other fields."""
BY_CHARS_MAX = 1_000
"""Of the dimension of a count: a model, a channel of TEXT_BYTES_MAX and a currency. So one count has less than 5 kB."""
