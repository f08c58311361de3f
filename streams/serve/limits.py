"""Limits of the door over HTTP, with their arithmetic. Bytes of bodies are those after gzip is unpacked."""

from __future__ import annotations

from typing import Final

CALL_BYTES_MAX: Final = 32_768
"""Of one call, as Segment's HTTP API takes it; a key may have another limit."""
BATCH_BYTES_MAX: Final = 512_000
"""Of a batch: the 500 kB of Segment's API."""
BATCH_CALLS_MAX: Final = 2_500
"""Calls of a batch, as Segment's API takes them."""
ADDED_BYTES_MAX: Final = 1_000
"""What the door adds to a call: a message id of 40 bytes, times and names. With them it is below VALUE_BYTES_MAX."""
KEYS_MAX: Final = 1_000
"""Write keys, and as many sources: each name is a value of a label of the metrics."""
HEADERS_MAX: Final = 64
HEADER_BYTES_MAX: Final = 8_190
"""Headers of a request, and bytes of one of them, or of the first line. Browsers send about 20 with 2,000 bytes."""
HEAD_SECONDS: Final = 10.0
"""How long the headers of a request may take to come in."""
BODY_SECONDS: Final = 20.0
"""How long a body may take: 512,000 bytes then need 26 kB a second."""
IDLE_SECONDS: Final = 75.0
"""How long a connection stays open without a request: longer than most proxies keep one."""
BACKLOG: Final = 512
"""Connections that wait to be accepted."""
UNREAD_BYTES: Final = 65_536
"""Of a body, after which a connection is read no further until they are taken; aiohttp holds twice as many.

With the headers, a connection has 64 x 8,190 + 2 x 65,536 = 655,000 bytes at most, and 1,000 of them 655 MB. Honest
ones have about 10,000. Bodies that are read whole count as not yet acknowledged, and have a bound in all.
"""
RECORDS_MAX: Final = 200_000
"""Records that wait for Kafka. The client has about 300 bytes for each besides its own: 60 MB."""
HEADERS_KEPT: Final = 2_000
"""Authorization headers that were right. A key may come with any password, so there is no end to them."""
