"""A touchpoint that the door does not let in."""

from __future__ import annotations

from schemas.refusal import Refusal


class RefusedRecord(Refusal):
    """The touchpoint goes to the dead letters; `detail` holds no personal data."""
