"""When something happened, by a clock that may be wrong: of a browser, a phone or a till.

Segment's specification of its common fields: timestamp = receivedAt - (sentAt - originalTimestamp). So what counts is
how long an event waited on its device, and the clock of the receiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.collect.reading import time_ms_of
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from streams.collect.door import DoorSettings


def happened_ms(call: dict[str, Any], settings: DoorSettings) -> int:
    """Return when a call's event happened, in ms since the epoch.

    A `timestamp` beside an `originalTimestamp` was corrected by who sent both, so it holds. A server's clock is right.
    Without any time it happened when it was received. Other events happened as long before that as the device says that
    they waited, and never after it. All events of one request move by the same time, so they keep their order.

    Raises:
        RefusedRecord: there is no time, or one that cannot be read; the detail has its name.
    """
    said = time_ms_of(call.get("timestamp"), "timestamp")
    original = time_ms_of(call.get("originalTimestamp"), "originalTimestamp")
    if said is not None and original is not None:
        return said
    sent = time_ms_of(call.get("sentAt"), "sentAt")
    received = time_ms_of(call.get("receivedAt"), "receivedAt")
    if received is None:
        received = settings.received_ms
    happened = next((each for each in (said, original, sent, received) if each is not None), None)
    if happened is None:
        raise RefusedRecord("malformed", "timestamp is missing: allowed is ISO 8601 with a time zone")
    if sent is None or received is None or settings.is_server:
        return happened
    return received - max(sent - happened, 0)
