"""A record of the journal, folded or refused: the one place where an unexpected exception becomes a value."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final, TypeVar

from schemas.wire import RegistryUnusable, WireError
from state.codec import NewerState
from state.store import StateUnreadable
from streams.flows.language.mistakes import FlowError
from streams.fold.moment import Rejected
from streams.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.fold.record import Record
    from streams.profiles.effects import Effects

T = TypeVar("T")

RAISED = "raised"
"""Reason of a record that made the code raise."""
OF_LATER = (NewerState, FlowError, SettingsError)
"""A later release wrote the state or the settings, so no restart helps."""
MUST_STOP = (*OF_LATER, StateUnreadable, RegistryUnusable)
"""Not the fault of the record: a process that folds has to stop, and the record stays."""


class Folded:
    """A record that was folded, and its effects; a plain class for the compiled wheel, as Moment."""

    __slots__ = ("effects", "record")

    def __init__(self, record: Record, effects: Effects) -> None:
        self.record: Final = record
        self.effects: Final = effects


class Refused:
    """A record that cannot be folded; the state is as it was before it."""

    __slots__ = ("detail", "reason", "record")

    def __init__(self, record: Record | None, reason: str, detail: str) -> None:
        self.record: Final = record
        """None: it could not be read either."""
        self.reason: Final = reason
        """The dead letter's reason, which is a metric's label."""
        self.detail: Final = detail


def attempt(fold: Callable[[Record], Effects], read: Callable[[T], Record], source: T) -> Folded | Refused:
    """Read a record from its source and fold it.

    Raises:
        Exception: one of MUST_STOP, or any for a record that is not of one customer: others need it folded.
    """
    record: Record | None = None
    try:
        record = read(source)
        return Folded(record, fold(record))
    except MUST_STOP:
        raise
    except (Rejected, WireError) as error:
        return Refused(record, error.reason, error.detail)
    except Exception as error:
        if record is not None and not record.is_of_customer:
            raise
        return Refused(record, RAISED, raised_detail(error))


def raised_detail(error: Exception) -> str:
    """Show the traceback of an unexpected exception."""
    return "".join(traceback.format_exception(error))


def as_it_is(record: Record) -> Record:
    """Return a record that has been read already."""
    return record
