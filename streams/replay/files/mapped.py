"""The outcomes of a file's lines, and the account of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from streams.collect.hiding import masked

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

ORDERED = "order_completed"
REFUNDED = "order_refunded"


class Reason(StrEnum):
    """Why lines were refused; the reason of a dead letter. The second half is what collect refuses."""

    BAD_ENCODING = "bad_encoding"
    BAD_COLUMNS = "bad_columns"
    BAD_JSON = "bad_json"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    BAD_REFUND = "bad_refund"
    MISSING_ID = "missing_id"
    MIXED_CURRENCY = "mixed_currency"
    NOT_AN_ORDER = "not_an_order"
    ZERO_TOTAL = "zero_total"
    NEGATIVE_TOTAL = "negative_total"
    LATE_LINE = "late_line"
    OUT_OF_ORDER = "out_of_order"

    UNKNOWN_TYPE = "unknown_type"
    NO_NAME = "no_name"
    NO_EVENT_ID = "no_event_id"
    NO_CUSTOMER = "no_customer"
    NO_ORDER = "no_order"
    NO_SPEND = "no_spend"
    NO_CONSENT = "no_consent"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    BAD_CURRENCY = "bad_currency"
    BAD_EMAIL_HASH = "bad_email_hash"
    MAY_NOT_LINK = "may_not_link"


@dataclass(frozen=True, slots=True)
class Origin:
    """Lines of one file; `line_number` is the first's and counts from 1 with the header, `raw` is their bytes."""

    file: str
    line_number: int
    raw: bytes
    lines: int

    def refused(self, reason: Reason, detail: str) -> RefusedLines:
        return RefusedLines(reason, detail, self.line_number, self.raw, self.lines, self.file)


@dataclass(frozen=True, slots=True)
class MappedTouchpoint:
    """A touchpoint and the number of lines that it comes from; `origins` are these lines by file, where known."""

    touchpoint: Touchpoint
    lines: int
    origins: tuple[Origin, ...] = field(default=(), compare=False)

    def refused(self, reason: Reason, detail: str) -> list[RefusedLines]:
        """Return its lines, refused; where their bytes are not known, the touchpoint is in their place."""
        origins = self.origins or (Origin("", 0, b"", self.lines),)
        shown = [each if each.raw else replace(each, raw=repr(self.touchpoint).encode()) for each in origins]
        return [each.refused(reason, detail) for each in shown]


@dataclass(frozen=True, slots=True)
class RefusedLines:
    """Refused lines of one file, as in `Origin`; without a name the file is the source's."""

    reason: Reason
    detail: str
    line_number: int
    raw: bytes
    lines: int = 1
    file: str = ""


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
    first_refused: dict[str, str] = field(default_factory=dict, compare=False)
    """By reason, the first line that was refused, and what is wrong with it."""

    @property
    def lines(self) -> int:
        """Return the number of lines without the header."""
        return self.in_orders + self.in_refunds + self.in_unmatched_refunds + self.in_others + self.refused.total()

    def add(self, mapped: Mapped) -> None:
        """Count the lines of one outcome."""
        if isinstance(mapped, RefusedLines):
            self.refused[mapped.reason.value] += mapped.lines
            if mapped.reason.value not in self.first_refused:
                self.first_refused[mapped.reason.value] = f"line {mapped.line_number}: {masked(mapped.detail)}"
        else:
            self.touchpoints[mapped.touchpoint.type] += 1
            self.add_lines(mapped.touchpoint, mapped.lines)

    def add_lines(self, touchpoint: Touchpoint, lines: int) -> None:
        """Count further lines of a touchpoint that is counted elsewhere."""
        if touchpoint.type == ORDERED:
            self.in_orders += lines
        elif touchpoint.type != REFUNDED:
            self.in_others += lines
        elif touchpoint.properties.get("refund") == "unmatched":
            self.in_unmatched_refunds += lines
        else:
            self.in_refunds += lines

    def __add__(self, other: Accounting) -> Accounting:
        """Return the account of both files."""
        return Accounting(
            self.in_orders + other.in_orders,
            self.in_refunds + other.in_refunds,
            self.in_unmatched_refunds + other.in_unmatched_refunds,
            self.in_others + other.in_others,
            self.refused + other.refused,
            self.touchpoints + other.touchpoints,
            {**other.first_refused, **self.first_refused},
        )


def account(files: dict[str, Accounting], mapped: Mapped, file: str) -> None:
    """Count an outcome in the files that it comes from; `file` is meant where it names none.

    A touchpoint counts in the file of its first line.
    """
    if isinstance(mapped, RefusedLines):
        files.setdefault(mapped.file or file, Accounting()).add(mapped)
        return
    first, *others = mapped.origins or (Origin(file, 0, b"", mapped.lines),)
    files.setdefault(first.file, Accounting()).add(MappedTouchpoint(mapped.touchpoint, first.lines))
    for each in others:
        files.setdefault(each.file, Accounting()).add_lines(mapped.touchpoint, each.lines)
