"""One guarded step for a record: read, fold, encode and size check. Here an unexpected exception becomes a value."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from schemas.limits import LETTER_DETAIL_MAX
from schemas.refusal import Refusal
from schemas.wire import RegistryUnusable
from state.codec import NewerState
from state.store import StateUnreadable
from streams.flows.language.mistakes import FlowError
from streams.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")
R = TypeVar("R")
E = TypeVar("E")

RAISED = "raised"
"""Reason of a record that made the code raise."""
HUNG = "hung"
"""Reason of a record that a worker hung at."""
OF_LATER = (NewerState, FlowError, SettingsError)
"""A later release wrote the state or the settings, so no restart helps."""
MUST_STOP = (*OF_LATER, StateUnreadable, RegistryUnusable)
"""Not the fault of the record: a process that folds has to stop, and the record stays."""
NOT_OF_RECORDS = (*MUST_STOP, MemoryError, OSError)
"""The same, and what the machine or the network is at fault for."""


class Folded(Generic[R, E]):
    """A record that was folded, and its effects; a plain class for the compiled wheel, as Moment."""

    __slots__ = ("effects", "record")

    def __init__(self, record: R, effects: E) -> None:
        self.record: Final = record
        self.effects: Final = effects


class Refused:
    """A record that cannot be folded; the state is as it was before it."""

    __slots__ = ("detail", "reason", "record")

    def __init__(self, record: Any, reason: str, detail: str) -> None:  # noqa: ANN401 - whatever is read
        self.record: Final = record
        """None: it could not be read either."""
        self.reason: Final = reason
        """The dead letter's reason, which is a metric's label."""
        self.detail: Final = detail


def attempt(
    fold: Callable[[R], E], read: Callable[[S], R], source: S, undo: Callable[[], None]
) -> Folded[R, E] | Refused:
    """Read a record from its source and fold it, with everything that may fail because of it.

    `fold` begins with a savepoint of the state and encodes what it returns; `undo` goes back to it. What made the code
    raise is tried once more: an exception counts only if it follows the record, which is alone then.

    Raises:
        Exception: one of NOT_OF_RECORDS.
    """
    record: R | None = None
    has_raised = False
    while True:
        try:
            record = read(source)
            return Folded(record, fold(record))
        except NOT_OF_RECORDS:
            raise
        except Exception as error:  # noqa: BLE001 - the only place: the record is set aside, and its batch goes on
            if record is not None:
                undo()
            if isinstance(error, Refusal):
                return Refused(record, error.reason, error.detail)
            if has_raised:
                return Refused(record, RAISED, raised_detail(error))
            has_raised = True


def raised_detail(error: BaseException) -> str:
    """Show the end of the traceback of an unexpected exception, in characters that can be encoded."""
    text = "".join(traceback.format_exception(error))[-LETTER_DETAIL_MAX:]
    return text.encode(errors="backslashreplace").decode()


def as_it_is(record: R) -> R:
    """Return a record that has been read already."""
    return record


def nothing_to_undo() -> None:
    """Do nothing, for a step without state."""
