"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """ok; warn: it works, but not as it should; fail: a worker does not start, or works wrongly."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: what was seen and, unless it is in order, what to do."""

    check: str
    status: Status
    seen: str
    advice: str = ""


def ok(check: str, seen: str) -> Finding:
    return Finding(check, Status.OK, seen)


def warn(check: str, seen: str, advice: str) -> Finding:
    return Finding(check, Status.WARN, seen, advice)


def fail(check: str, seen: str, advice: str) -> Finding:
    return Finding(check, Status.FAIL, seen, advice)
