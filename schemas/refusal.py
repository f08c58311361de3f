"""What is wrong with a record, as an exception that every stage turns into a dead letter."""

from __future__ import annotations


class Refusal(Exception):
    """The record becomes a dead letter. `reason` is a metric's label, so short and fixed; `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
