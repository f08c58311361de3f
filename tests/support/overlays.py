"""Overlays of short texts, to try what becomes of values and timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.codec import frame, open_frame
from state.overlay import Overlay
from state.timers import Timers

if TYPE_CHECKING:
    from state.store import Store

Value = tuple[str, int]
"""A text and the due time in ms."""


class TextCodec:
    def encode(self, key: bytes, value: Value) -> bytes:  # noqa: ARG002 - of the protocol
        return frame(1, value[1], value[0].encode())

    def decode(self, key: bytes, value: bytes) -> Value:  # noqa: ARG002 - of the protocol
        _, due_ms, payload = open_frame(value)
        return payload.decode(), due_ms


def an_overlay(store: Store, chunk: int) -> Overlay[Value]:
    overlay = Overlay(store, TextCodec())
    overlay.cache.bytes_max = 200
    overlay._timers = Timers(store, chunk)  # noqa: SLF001 - small chunks meet their edges sooner
    return overlay


def put(overlay: Overlay[Value], key: bytes, text: str, due_ms: int = 0) -> None:
    overlay.put(key, (text, due_ms), due_ms)


def commit(overlay: Overlay[Value]) -> None:
    records = overlay.freeze()
    overlay.committed(overlay.store.position + len(records))
