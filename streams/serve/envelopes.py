"""What goes on of a webhook: its body, with what only its headers say. The source's door reads it in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOPICS: Final[Mapping[str, str]] = {"shopify": "x-shopify-topic", "woocommerce": "x-wc-webhook-topic"}
"""By door, the header that says what the body is about; its name in lower case."""
_TOPIC_CHARS_MAX: Final = 64


class _Topical(msgspec.Struct):
    topic: str
    payload: msgspec.Raw


def enveloped(door: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the record of a body that is valid JSON: of a shop `{"topic": …, "payload": …}`, of others the body.

    A list of events stays together: side by side their times say more of who clicked.
    """
    wanted = _TOPICS.get(door)
    if wanted is not None:
        topic = next((value for name, value in headers.items() if name.lower() == wanted), "")
        return msgspec.json.encode(_Topical(topic.strip()[:_TOPIC_CHARS_MAX], msgspec.Raw(body.strip())))
    return body
