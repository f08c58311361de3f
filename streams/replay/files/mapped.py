"""The outcomes of a file's lines, and the account of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

ORDERED = "order_completed"
REFUNDED = "order_refunded"


class Reason(StrEnum):
    """Why lines were refused; the reason of a dead letter."""

    BAD_ENCODING = "bad_encoding"
    BAD_COLUMNS = "bad_columns"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    BAD_REFUND = "bad_refund"
    MISSING_ID = "missing_id"
    UNKNOWN_TYPE = "unknown_type"
    MIXED_CURRENCY = "mixed_currency"
    NOT_AN_ORDER = "not_an_order"
    ZERO_TOTAL = "zero_total"
    NEGATIVE_TOTAL = "negative_total"
    LATE_LINE = "late_line"
    OUT_OF_ORDER = "out_of_order"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class MappedTouchpoint:
    """A touchpoint and the number of lines of the file that it comes from."""

    touchpoint: Touchpoint
    lines: int


@dataclass(frozen=True, slots=True)
class RefusedLines:
    """Refused lines; `line_number` counts from 1 with the header, `raw` is the original bytes."""

    reason: Reason
    detail: str
    line_number: int
    raw: bytes
    lines: int = 1


Mapped: TypeAlias = MappedTouchpoint | RefusedLines


@dataclass(slots=True)
class Accounting:
    """Lines of a file by outcome; every line is in exactly one of the counts."""

    in_orders: int = 0
    in_refunds: int = 0
    in_unmatched_refunds: int = 0
    in_others: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    touchpoints: Counter[str] = field(default_factory=Counter)

    @property
    def lines(self) -> int:
        """Return the number of lines without the header."""
        return self.in_orders + self.in_refunds + self.in_unmatched_refunds + self.in_others + self.refused.total()

    def add(self, mapped: Mapped) -> None:
        """Count the lines of one outcome."""
        if isinstance(mapped, RefusedLines):
            self.refused[mapped.reason.value] += mapped.lines
            return
        touchpoint = mapped.touchpoint
        self.touchpoints[touchpoint.type] += 1
        if touchpoint.type == ORDERED:
            self.in_orders += mapped.lines
        elif touchpoint.type != REFUNDED:
            self.in_others += mapped.lines
        elif touchpoint.properties.get("refund") == "unmatched":
            self.in_unmatched_refunds += mapped.lines
        else:
            self.in_refunds += mapped.lines
