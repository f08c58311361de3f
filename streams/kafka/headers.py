"""Headers of a message, which anyone may have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message


def headers_of(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """Return the headers in order.

    Raises:
        WireError: a name is not UTF-8, which confluent-kafka answers with a SystemError.
    """
    try:
        return message.headers() or ()
    except (SystemError, UnicodeDecodeError):
        raise WireError("malformed", "the name of a header is not UTF-8") from None


def readable_headers(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """Return the headers, or none where they cannot be read."""
    try:
        return headers_of(message)
    except WireError:
        return ()
