"""A customer's timers: derived from the profile, fired in order of due time, then rank, on the customer's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import RULES_3, SetAside
from schemas.limits import AT_ONCE_MAX, FIRES_MAX, PARKED_MAX
from schemas.outputs import DeadLetter
from streams.attribution.slices import with_slice
from streams.flows.runtime.asking import asked_of
from streams.flows.runtime.dated import on_date
from streams.flows.runtime.holding import next_look_ms, release_ms
from streams.flows.runtime.runner import on_due as flow_due
from streams.fold.attempt import NOT_OF_RECORDS, raised_detail
from streams.fold.crediting import ALL, CREDIT, is_credit_due
from streams.fold.granting import answers_due_ms
from streams.fold.keeping import without_kept
from streams.fold.moment import FoldMoment
from streams.fold.scoring import landed, on_slot, publish_changes, rescored, segment_entered
from streams.profiles.profile import EMPTY
from streams.profiles.timed_cart import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.fold.partition_state import Knowledge
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Profile

FIRES_MAX_OF_RULES_1: Final = 5_000
"""More in one go than 90 years of weekly slots need: beyond it, a timer sets itself again without end."""
TIMER: Final = "timer:"
"""Begins the source topic of a timer's dead letter; the timer's name follows."""
OF_THIS_RECORD: Final = -1
"""Offset in a mark that the fold sends: it does not know the offset of its record, which the runtime puts there."""
ENTRY: Final = "date:"
"""Begins the name of a flow's entry timer; the flow's key follows."""


class TimerFailed(Exception):
    """The code of a timer raised; the timer is to be parked."""

    def __init__(self, name: str, due_ms: int, before: Profile, firing: int) -> None:
        super().__init__(f"timer {name} due {due_ms}")
        self.name = name
        self.due_ms = due_ms
        self.before = before
        self.firing = firing
        """Which of the customer's in this record, from 1 on; 0: whatever is done with them as time passes."""


def parked(failed: TimerFailed) -> Profile:
    """Return the profile with the timer that failed parked; beyond PARKED_MAX, names of timers that are gone leave."""
    profile = failed.before
    names = (*profile.parked, failed.name)
    if len(names) > PARKED_MAX:
        present = {name for _, name in timers(msgspec.structs.replace(profile, parked=()))} | {CREDIT, ALL}
        names = tuple([name for name in names if name in present])
    return msgspec.structs.replace(profile, parked=names)


def timers(profile: Profile) -> list[tuple[int, str]]:
    """List (due_ms, name) of every timer that is set and not parked."""
    found = [(run.due_ms, f"flow:{run.flow_id}") for run in profile.runs]
    if profile.score is not None and profile.score.due_ms:
        found.append((profile.score.due_ms, "score"))
    if profile.slot_ms:
        found.append((profile.slot_ms, "slot"))
    if profile.expires_ms:
        found.append((profile.expires_ms, "expire"))
    if profile.entry_timers:
        found += [(due_ms, ENTRY + key) for key, due_ms in profile.entry_timers]
    if profile.parked:
        if ALL in profile.parked:
            return []
        found = [timer for timer in found if timer[1] not in profile.parked]
    return found


def next_due_ms(profile: Profile) -> int:
    """Return when the earliest timer is due; 0: there is none."""
    due_ms, score = profile.slot_ms, profile.score
    if score is not None:
        score_ms = score.due_ms
        if score_ms and (score_ms < due_ms or not due_ms):
            due_ms = score_ms
    if profile.expires_ms or profile.parked:
        return min(timers(profile), default=(0, ""))[0]
    for run in profile.runs:
        run_ms = run.due_ms
        if run_ms < due_ms or not due_ms:
            due_ms = run_ms
    for _, entry_ms in profile.entry_timers:
        if entry_ms < due_ms or not due_ms:
            due_ms = entry_ms
    return due_ms


def next_wake_ms(profile: Profile, after_ms: int) -> int:
    """Return at which watermark to wake the customer: for a timer, a message or unwritten credit; 0: never.

    A message that is out is looked at again and again until it goes, the next time after `after_ms`.
    """
    due_ms = next_due_ms(profile)
    if profile.uncredited and is_credit_due(profile) and (profile.uncredited_ms < due_ms or not due_ms):
        due_ms = profile.uncredited_ms
    if profile.address_entry is not None:
        due_ms = _sooner(due_ms, answers_due_ms(profile.address_entry))
    if profile.pending and ALL not in profile.parked:
        asked = asked_of(profile)
        for message in profile.pending:
            if not message.is_held:
                message_ms = next_look_ms(message, after_ms, profile.rules) if profile.rules >= RULES_3 else 0
            elif asked and message.run.candidate_id in asked:
                message_ms = asked[message.run.candidate_id].until_ms
            else:
                message_ms = release_ms(profile, message)
            if message_ms and (message_ms < due_ms or not due_ms):
                due_ms = message_ms
    return due_ms


def _sooner(one_ms: int, other_ms: int) -> int:
    """Return the earlier of two times, of which 0 is none."""
    return min(one_ms or other_ms, other_ms or one_ms)


def indexed(profile: Profile) -> Profile:
    """Update wake_ms: move it earlier, or later if that time has passed."""
    due_ms = next_wake_ms(profile, profile.clock_ms)
    wake_ms = profile.wake_ms
    if due_ms == wake_ms or (wake_ms and wake_ms < due_ms and wake_ms > profile.clock_ms):
        return profile
    if not due_ms and wake_ms > profile.clock_ms:
        return profile
    return msgspec.structs.replace(profile, wake_ms=due_ms)


def fired(customer: str, profile: Profile, until_ms: int, known: Knowledge, effects: Effects) -> Profile | None:
    """Fire the timers due by until_ms and return the profile; None: the entry is forgotten.

    From rules 2 on the record fires FIRES_MAX timers at most, and the others stay due.

    Raises:
        TimerFailed: a timer's code raised, or sets it again without end. It carries the profile before that timer.
    """
    last_ms, at_once, total = 0, 0, 0
    while 0 < next_due_ms(profile) <= until_ms:
        if known.rules > 1 and effects.fires >= FIRES_MAX:
            return profile
        due_ms, name = _first(profile, known.flows.order)
        if name == "expire":
            left = without_kept(profile) if profile.kept else None
            if left is None:
                return None
            profile = left
            continue
        at_once, last_ms, total = at_once + 1 if due_ms == last_ms else 1, due_ms, total + 1
        if total > FIRES_MAX_OF_RULES_1 if known.rules == 1 else at_once > AT_ONCE_MAX:
            raise TimerFailed(name, due_ms, profile, effects.fires - effects.began + 1)
        profile = _after(customer, profile, (name, due_ms), known, effects)
    return profile


def is_behind(profile: Profile, until_ms: int, effects: Effects) -> bool:
    """Return whether the record has fired all that it may, and timers due by until_ms are left."""
    return effects.fires >= FIRES_MAX and 0 < next_due_ms(profile) <= until_ms


def caught_up(customer: str, profile: Profile, until_ms: int, known: Knowledge, effects: Effects) -> Profile:
    """Fire timers as `fired`, park those that fail, and return the profile; EMPTY: the entry is forgotten."""
    while True:
        try:
            return fired(customer, profile, until_ms, known, effects) or EMPTY
        except TimerFailed as failed:
            profile = _set_aside(customer, failed, effects)


def with_credit(customer: str, profile: Profile, known: Knowledge, effects: Effects) -> Profile:
    """Write a slice of what is unwritten of the customer's credit, and return the profile."""
    if not is_credit_due(profile):
        return profile
    try:
        return _after(customer, profile, (CREDIT, profile.uncredited_ms), known, effects)
    except TimerFailed as failed:
        return _set_aside(customer, failed, effects)


def _set_aside(customer: str, failed: TimerFailed, effects: Effects) -> Profile:
    """Return the profile with a timer that raised parked, and send its dead letter."""
    send_letter(customer, failed, raised_detail(failed.__cause__ or failed), effects)
    return parked(failed)


def _after(customer: str, profile: Profile, timer: tuple[str, int], known: Knowledge, effects: Effects) -> Profile:
    """Fire one timer; one whose code raises leaves no effect behind."""
    name, due_ms = timer
    now_ms = profile.clock_ms if name == CREDIT else max(profile.clock_ms, due_ms)
    effects.fires += 1
    cart = profile.cart
    if cart is not None and known.rules >= RULES_3:
        cart = current(cart, now_ms)
    before = msgspec.structs.replace(profile, clock_ms=now_ms, cart=cart)
    try:
        own = effects.fresh(customer, name)
        at = FoldMoment(customer, now_ms, f"timer:{name}:{due_ms}", known, own)
        after = _fire(before, name, due_ms, at)
        publish_changes(profile, after, at)
        after = segment_entered(profile, after, at)
        if name == "slot" and after.landing is not None:
            # of an import that was never finished
            after = landed(after, at)
    except NOT_OF_RECORDS:
        raise
    except Exception as error:
        raise TimerFailed(name, due_ms, profile, effects.fires - effects.began) from error
    effects.take(own)
    return after


def _first(profile: Profile, order: Mapping[str, str]) -> tuple[int, str]:
    """Return the timer that fires next; of several that are due at once, the first by the flows' order."""
    found = timers(profile)
    if len(found) == 1:
        return found[0]
    first_ms = min([due_ms for due_ms, _ in found])
    names = [name for due_ms, name in found if due_ms == first_ms]
    return first_ms, names[0] if len(names) == 1 else min(names, key=lambda name: order.get(name, name))


def _fire(profile: Profile, name: str, due_ms: int, at: FoldMoment) -> Profile:
    if name == "score":
        return rescored(profile, at)
    if name == "slot":
        return on_slot(profile, due_ms, at)
    if name == CREDIT:
        return with_slice(profile, at)
    known = at.known
    if name.startswith(ENTRY):
        return on_date(profile, name.removeprefix(ENTRY), due_ms, known.flows, at)
    flow_id = name.removeprefix("flow:")
    (run,) = [run for run in profile.runs if run.flow_id == flow_id]
    return flow_due(profile, run, known.flows, at, watermark_ms=known.watermark_ms)


def send_letter(customer: str, failed: TimerFailed, detail: str, effects: Effects) -> None:
    """Send the dead letter of a timer whose code raised, and the mark by which a release without the bug parks it."""
    letter = timer_letter(customer, failed, detail)
    effects.emit(customer, letter)
    effects.append(None, SetAside(OF_THIS_RECORD, letter.reason, customer, failed.name, failed.firing))


def timer_letter(customer: str, failed: TimerFailed, detail: str) -> DeadLetter:
    """Make the dead letter of a timer whose code raised."""
    return DeadLetter(
        reason="timer_failed",
        detail=detail,
        stage="fold",
        source_topic=f"{TIMER}{failed.name}",
        source_partition=-1,
        source_offset=failed.due_ms,
        key=customer.encode(),
    )
