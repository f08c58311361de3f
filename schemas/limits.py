"""Every limit of size, number and amount, with its arithmetic; the sections are in the order of a record's way.

They are constants, so that no setting of a topic, no framing and no version of Python decides what is taken.
Bytes of texts are those of UTF-8, where a character takes one to four.

Final, so that compiled code has them in place: to look one up takes 150 instructions.
"""

from __future__ import annotations

from typing import Final

from schemas.touchpoint import ITEMS_MAX

# ------------------------------------------------------------------------------------------------------------- time

TIME_AHEAD_MS_MAX: Final = 5_000
"""How far a record of the journal or of facts may speak of a time after its append, by its broker's clock.

Other brokers stamp touchpoints, and clocks of one cluster that are seconds apart are out of order already.
"""

# ---------------------------------------------------------------------------------------------- a record at the door

VALUE_BYTES_MAX: Final = 900_000
"""As it comes, and again as it goes into the journal: hashing makes an address of 5 characters 64 long.

Below Kafka's default of 1,048,588 bytes for a batch, with room for the key (TEXT_BYTES_MAX + 2), headers and framing.
"""
NESTING_MAX: Final = 100
"""Levels of a Segment call; their spec needs 5, and every version of Python parses this many."""
SCHEMA_BYTES_MAX: Final = 200_000
"""Characters of a writer's schema in a registry; our own touchpoint has 5,000."""

# ------------------------------------------------------------------------------------------- a touchpoint's own texts

TEXT_MAX: Final = 512
"""Characters of any text but those below."""
CAMPAIGN_MAX: Final = 256
"""Characters of a text of `marketing`."""
CONSENT_MAX: Final = 128
"""Characters of a text of `consent`: a channel, a purpose, or a flow's name, which has 64 at most."""
TEXT_BYTES_MAX: Final = 512
"""Bytes of any text but a property's value, because profiles, ledger rows, triggers and facts copy them.

So ASCII may fill TEXT_MAX, two-byte scripts 256 characters, and Chinese 170. The largest sums follow: 100 touches of a
channel and a campaign are 102,400 bytes, 50 articles of a cart 25,600.
"""
PROPERTIES_MAX: Final = 100
PROPERTY_MAX: Final = 4_096
"""Characters of a property's value, such as a URL with its query."""
PROPERTIES_BYTES_MAX: Final = 65_536
"""Bytes of all names and values of the properties together: at most 10,922 addresses, which are hashed one by one.

A text that hashes make longer than its limit becomes one hash. So behind the door 100 values have 65,536 + 100 x 4,096
bytes at most, their names 51,200, the texts of 200 lines 204,800 and all others 20,000: 751,000, below VALUE_BYTES_MAX.
"""

# ------------------------------------------------------------------------------------------------ a touchpoint's lines

LINES_MAX: Final = ITEMS_MAX
"""Lines of an order or a cart that are read. With 4 bytes for the shortest line, a value could hold 225,000."""
LINES_KEPT: Final = 200
"""Lines that go on, from the first; the order's total counts all. The largest lines are then 200 x 2 x 512 bytes."""

# ------------------------------------------------------------------------------------------- a touchpoint's numbers

TIME_MS_MIN: Final = 631_152_000_000
"""1990-01-01."""
TIME_MS_MAX: Final = 3_471_292_800_000
"""2080-01-01: a replay does not compare times with a clock, so this bounds how many weekly timers can fire."""
MINOR_MAX: Final = 10**14
"""Minor units of one amount: 10^12 EUR; in rupiah and rial, with two digits, more than 10^12 of them.

An Avro long ends at 9.22 x 10^18, which is 92,233 such amounts; an hour may bring more, at 10,000 touchpoints a second
36,000,000. No limit for one order that lets honest ones through makes their sum safe, so sums are checked as well.
"""
AT_MOST_MAX: Final = 100
"""Messages a week to which a customer may limit promotions."""
QUANTITY_MAX: Final = 10**7
"""Pieces of one line: 214 of them fit into an Avro int."""

# ------------------------------------------------------------------------------------------------------ a dead letter

LETTER_DETAIL_MAX: Final = 8_000
"""Characters of its detail."""
LETTER_BYTES_MAX: Final = 10 * 1024 * 1024
"""Bytes of a record that it keeps as it came: more than `touchpoints` takes, less than `dead-letters` does."""
LETTER_KEY_BYTES_MAX: Final = 1_024
"""Bytes of the key that is kept of a larger record."""
LETTER_HEADERS_MAX: Final = 1_000
"""Headers that it keeps. A header takes 2 bytes or more, so one record may have hundreds of thousands."""

# ---------------------------------------------------------------------------------------------------------- a profile

PROFILE_BYTES_MAX: Final = 524_000
"""Bytes of a stored profile. `Absorbed` carries one whole, and Kafka's default for a batch is 1,048,588.
The sum of what follows, where an integer takes 9 bytes at most, a text 3 more than its own and a structure 1 or 3:
scalars 2,500; seen events 1,000 x 8 + 100; links 11,400 (an address has LINKED_BYTES_MAX, and no orders); orders
500 x 38; months 480 x 28; changes of orders 500 x 44; cart 16,000 and 50 x 8 x 15 for its adds; messages 200 x 128;
entries 200 x 79; answers 92 x 19; statements of consent 12,800; addresses 8 x 640; runs 32 x 1,300; pending messages
40,000; entry timers 100 x 80; parked timers 136 x 73; prices 10,720; views 12,000; the content of an order 1,100;
ids of orders not known 2,000; what was asked 600; attributes 40 x 256 + 440. Together 296,200. Before rules 4 links
have 14,600 more, others less.
Conversions 100 x (36 + 203), and as much again while their credit waits; touches 700 x 36; names and order ids
36,000 + 700 x 2 x 3. Together 114,000. A merge may double these until its credit is written. A test adds all up.
The entry of an order has 13,800 and, of the above, what a guest's order has: neither links nor a cart.
"""
STATEMENTS_BYTES_MAX: Final = 12_800
"""Bytes of the statements of consent that a profile keeps: 80 of 160, or 32 with the longest texts."""
SOURCE_CHARS_MAX: Final = 32
"""Characters of the source of a statement that are kept."""
LINKED_BYTES_MAX: Final = 48_000
"""Bytes of the keys that a profile is linked to: 1,000 keys with a UUID of an address, or 50 devices of 515 bytes."""
OWN_LINKS_BYTES_MAX: Final = 11_400
"""Bytes of the keys that a user or a device is linked to, from rules 4 on: 50 of 225 bytes, or 22 of the longest."""
MONTHS_MAX: Final = 480
"""Calendar months of orders beyond the newest 500: 40 years."""
MONTH_MINOR_MAX: Final = 10**16
"""Minor units that count of one of these months: 480 of them and 500 orders of MINOR_MAX are 4.9 x 10^18, a long."""
CART_BYTES_MAX: Final = 16_000
"""Bytes of a cart's articles, each with 21 for price and quantity: 50 of 299 bytes."""
PRICES_BYTES_MAX: Final = 10_720
"""Bytes of the articles whose prices a profile remembers: 20 of TEXT_BYTES_MAX and 24 more."""
VIEWS_BYTES_MAX: Final = 12_000
"""Bytes of remembered views: 100 in categories of 97 bytes."""
RUNS_MAX: Final = 32
"""Flows in which a customer is at once. A run has 67 + 34 + 515 + 62 bytes of texts and 60 of numbers."""
RUN_PRODUCTS_BYTES_MAX: Final = 512
"""Bytes of the articles that a run, or the content of an order, keeps to show: 10 of 30 bytes."""
PENDING_BYTES_MAX: Final = 40_000
"""Bytes of the messages that a profile may still take back: 20 of 2,000, or 2 that show a full cart."""
ENTRY_TIMERS_MAX: Final = 100
"""Flows of which a profile knows when a date starts them."""
UNMATCHED_BYTES_MAX: Final = 2_000
"""Bytes of the ids of orders of which a profile knows only refunds: 46 of 40 bytes."""
CLAIMS_MAX: Final = 8
"""Profiles whose claims of an order are kept: each a key of 514 bytes, two event ids of 512 and 20 more: 12,500."""
CHANGES_OF_AN_ORDER_MAX: Final = 32
"""What happened to an order, as its entry keeps and sends it: 32 of 41 bytes are 1,312, with an id of 512."""
PARKED_MAX: Final = 136
"""Timers that are parked: of 32 runs, 100 entries, score, slot, expiry and credit."""

# ------------------------------------------------------------------------------------------------- credit for orders

PATH_MAX: Final = 100
"""Touches in the path of one conversion: as many as a profile keeps."""
NAMES_BYTES_MAX: Final = 16_000
"""Bytes of the different names of channels and campaigns in the touches of a profile: 200 of 80."""
TRAIL_MAX: Final = 600
"""Different touches in the paths of all open conversions, each with 36 bytes."""
TRAIL_BYTES_MAX: Final = 20_000
"""Bytes of the names in these paths, and of the orders' ids: 100 of 40 bytes and 400 of 40."""
ROWS_MAX = 200  # not Final: tests of slices make it 1
"""Rows of the ledger after which a slice ends. The last conversion may add 202, or 402 if two profiles had the order.

A row has texts of 5 x 512 bytes at most, so a slice has 1.8 MB at most and 120 kB as a rule.
"""
DATES_MAX: Final = 100
"""Dates of the rows that one record writes for refunds whose order comes in after them; a merge may add 400 rows."""

# ------------------------------------------------------------------------------------------------------ woken customers

FIRES_MAX: Final = 200
"""Timers that one record of the journal fires, of one customer or of many; a timer takes 0.05 to 0.2 ms.

Others stay due. A customer's own record that comes too early for them is appended again and waits. 90 years of weekly
slots, from 1990 to 2080, are 4,700 timers and so 24 records.
"""
AT_ONCE_MAX: Final = 140
"""Timers of one customer that may be due at one time: 32 runs, 100 entries, score and slot. More go on without end."""
WOKEN_MAX: Final = 200
"""Idle customers whose timers one record of the journal fires."""
WOKEN_OUTPUTS_MAX: Final = 400
"""Outputs after which such a record stops. A customer adds as many as they have timers and messages on the way."""

# ------------------------------------------------------------------------------------------------------------- facts

LONG_MAX: Final = (1 << 63) - 1
LONG_MIN: Final = -(1 << 63)
"""The longs of Avro and of msgpack."""
INT_MAX: Final = (1 << 31) - 1
"""The largest int of Avro."""
LONG_BYTES_MAX: Final = 10
"""Bytes of one long in Avro."""
CHARACTER_BYTES_MAX: Final = 4
FACTS_BYTES_MAX: Final = 900_000
"""Of one record, as at the door."""
FACTS_COUNTS_MAX: Final = 2_000
"""Counts of one record that we write, so that insights add up a record in about 20 ms."""
FACTS_ROWS_MAX: Final = 1_000
"""Panel rows of one record that we write."""
COUNT_BYTES_MIN: Final = 4 * LONG_BYTES_MAX
"""Of one count without its texts: two lengths, the hour and the value."""
ROW_BYTES_MAX: Final = 6 * LONG_BYTES_MAX + 8
"""Of one panel row: six longs and a double."""
COUNTS_BYTES_MAX: Final = FACTS_BYTES_MAX - FACTS_ROWS_MAX * ROW_BYTES_MAX - 100
"""Of the counts of one record; the last 100 bytes are for its other fields."""
BY_CHARS_MAX: Final = 1_000
"""Of the dimension of a count: a model, a channel of TEXT_BYTES_MAX and a currency. So one count has less than 5 kB."""

# ---------------------------------------------------------------------------------------------------------- insights

COUNTS_TAKEN_MAX: Final = 20_000
"""Counts of one record that are added up. Our releases wrote fewer; a record of 1 MB could hold 130,000."""
ROWS_TAKEN_MAX: Final = 20_000
"""Panel rows of one record that are taken."""
DIMENSION_BYTES_MAX: Final = 160
"""Of a dimension with its value, where its sums are kept apart: a flow's name has at most 64 characters."""
CURRENCIES_MAX: Final = 200
"""Kept apart in a window; ISO 4217 has 180. A window of hostile ones then has 3 x 200 sums below 80 bytes each."""
FLOWS_MAX: Final = 1_000
"""Whose messages are kept apart in a window: below 200 kB."""
SLOT_ROWS_MAX: Final = 1_000
"""Panel rows kept of one hour: 65 kB, learnt in about 25 ms. A week has 168 such hours, a panel about 20,000 rows."""
PIECE_ROWS_MAX: Final = 5_000
"""Panel rows that one record gathers, and as many as one hour has: 480 kB, in about 30 ms."""
DISTANCES_MAX: Final = 1_000_000
"""Distances of a row to a centre that one record measures: 25 rounds of k-means, in about 25 ms."""
ENGAGEMENT_MAX: Final = 1e9
"""Of a panel row. One customer would have to click 128 times a second for 90 days."""
LATE_MS_MAX: Final = 2 * 86_400_000
"""How far after a record's own append time an hour may be: the door lets a day in, the rest is for clocks and waits."""
KPIS_A_STEP: Final = 1_000
STEPS_A_RECORD: Final = 500
"""After so many KPIs, or hours and days that closed, a record is done and another one goes on: 20 to 50 ms."""

# ----------------------------------------------------------------------------------- records of the journal's own types

KEY_BYTES_MAX: Final = TEXT_BYTES_MAX + 2
"""Of a customer's key: a kind, such as `u:`, and an id."""
CAUSE_BYTES_MAX: Final = 2_048
"""Of what a record says it comes from: an event's id, or the name of a timer, which has the id of a flow."""
MODEL_BYTES_MAX: Final = 100_000
"""Of a piece of a model. Cuts have less than 1 kB, and eight clusters with their names less than 10 kB."""
MODEL_CHUNKS_MAX: Final = 10
"""Pieces of a model."""

# ----------------------------------------------------------------------------------------------------- what is written

OUTPUT_BYTES_MAX: Final = 1_000_000
"""Bytes of any record with its key and headers, but for a dead letter's.

Below Kafka's default of 1,048,588 bytes for a batch, with room for its own bytes. Above VALUE_BYTES_MAX with its key.
"""
TOPIC_BYTES_MAX: Final = 1_048_588
"""Bytes of a batch in any topic but the dead letters: Kafka's default, and that of its clients when they fetch."""
LETTERS_TOPIC_BYTES_MAX: Final = 12 * 1024 * 1024
"""Bytes of a batch of dead letters: LETTER_BYTES_MAX, and room for why a record could not be used."""
PRODUCER_BATCH_BYTES_MAX: Final = 1_000_000
"""Of the batches that we send: below what topics take, with room for what the protocol adds."""
SETTINGS_BYTES_MAX: Final = 400_000
"""Bytes of the settings with all published flows; 100 flows in three versions have about 200,000.
A journal partition's own state holds them beside the models, and insights hold them too."""
MODELS_BYTES_MAX: Final = 400_000
"""Bytes of the pieces of models that wait for their tick, and of the models in force; ours have below 10,000."""
OUTPUT_HEADERS_BYTES_MAX: Final = 64
"""Of a touchpoint in the journal: three names, a time and the hops are 37."""

# ------------------------------------------------------------------------------------------------- a worker's pages

WEB_CONNECTIONS_MAX: Final = 64
"""Connections to a worker's pages; the oldest goes when there is one more. Prometheus and probes need a few."""
WEB_BACKLOG: Final = 32
"""Connections that wait to be accepted. With the open ones, and as many again that are just being closed, they take
64 + 2 x 33 = 130 descriptors, of the 1,024 or more that a process has."""
WEB_IDLE_SECONDS: Final = 20.0
"""How long nothing may come in by a connection: the next request, or the rest of one."""
WEB_REQUEST_BYTES_MAX: Final = 65_536
"""Bytes of a request with its headers; a page's own has hundreds."""

# ------------------------------------------------------------------------------------------- a file that people write

DOCUMENT_BYTES_MAX: Final = 262_144
"""Bytes of a flow file, a file of stories, of settings or of a mapping, which have hundreds or thousands.
PyYAML reads about 500,000 a second."""
DOCUMENT_VALUES_MAX: Final = 20_000
"""Values in it, and names. A flow has about 50; a value that is used again counts again."""
DOCUMENT_LEVELS_MAX: Final = 60
"""Lists and mappings within each other, which their readers follow by calling themselves. A flow has about 8."""
DIGITS_MAX: Final = 18
"""Digits of a whole number in it: so many always fit a long, and Python refuses to read more than 4,300."""

# --------------------------------------------------------------------------------------------------- a replay of files

SOLD_CACHE_BYTES: Final = 64 * 1024 * 1024
"""Of memory for the orders of a replay, which refunds in its files may name; what is more goes to a temporary file."""
SOLD_BYTES_MAX: Final = 16 * 1024 * 1024 * 1024
"""Of that file. An order takes 25 bytes, and each of its articles 20 and the ids of customer, article and order.

Measured with 1,000,000 orders of 5 articles and ids of 6 characters: 195 bytes an order, and 66 MB of memory in all. So
10,000,000 orders of 20 articles take 8 GB.
"""


def as_long(value: int) -> int:
    """Return the long that is nearest to a sum."""
    if LONG_MIN <= value <= LONG_MAX:
        return value
    return LONG_MAX if value > 0 else LONG_MIN
