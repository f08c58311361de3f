"""Entry into a flow: the customer becomes a candidate, or their first wait restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, RULES_4
from schemas.touchpoint import CUSTOM
from streams.flows.language.assignment import arm_of
from streams.flows.language.durations import duration_text
from streams.flows.language.events import heard_as
from streams.flows.runtime.carrying import carried_of
from streams.flows.runtime.history import too_young, with_later_entry
from streams.flows.runtime.receipts import Verdict, give_receipt
from streams.flows.runtime.rooms import has_room, too_many_reason
from streams.profiles.bounds import attributes_bytes, bounded_products
from streams.profiles.contents import first_articles
from streams.profiles.effects import derived_id
from streams.profiles.entered import Entered
from streams.profiles.profile import ENTRIES_MAX, CartItem, Profile, Run

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.moment import Moment

_replace = msgspec.structs.replace


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """What lets a customer enter a flow."""

    words: str
    """Begins the sentence for people."""
    evidence: str
    cause: str
    time_ms: int
    is_old: bool
    products: tuple[CartItem, ...]
    attributes: tuple[tuple[str, str], ...] = ()


def entered_by_event(profile: Profile, plan: CompiledFlow, event: Touchpoint, at: Moment, *, is_old: bool) -> Profile:
    """Return the profile with a candidate of the flow; one that was there may restart its wait.

    The same object if nothing changes. An event without articles starts nothing if messages show those of the entry.
    """
    products: tuple[CartItem, ...] = ()
    if plan.shows_entry:
        products = first_articles(event.products)
        if not products and plan.flow.products == "entry" and at.rules >= RULES_3:
            return profile  # a message about it would have nothing to show
        if at.rules > 1:
            products = bounded_products(products)
    kind = event.type
    if kind == CUSTOM:
        kind = heard_as(event)
    attributes = carried_of(event, plan.carried) if plan.carried and at.rules >= RULES_4 else ()
    entry = _Entry(kind, kind, event.event_id, event.time_ms, is_old, products, attributes)
    return _entered(profile, plan, entry, at)


def entered_by_segment(profile: Profile, plan: CompiledFlow, segment: str, at: Moment, *, is_old: bool) -> Profile:
    """Do as `entered_by_event`, at the customer's own clock."""
    words = f"The segment {segment}"
    if plan.floor_ms and at.rules >= RULES_3:
        words += f" and {duration_text(plan.floor_ms)} without an order"
    entry = _Entry(words, f"segment {segment}", at.cause, at.now_ms, is_old, ())
    return _entered(profile, plan, entry, at)


def entered_by_date(profile: Profile, plan: CompiledFlow, due_ms: int, at: Moment, *, is_old: bool) -> Profile:
    """Do as `entered_by_event`, at the time that the profile's date gives."""
    words = plan.flow.entry.words
    entry = _Entry(f"The time {words}", words, at.cause, due_ms, is_old, ())
    return _entered(profile, plan, entry, at)


def _entered(profile: Profile, plan: CompiledFlow, entry: _Entry, at: Moment) -> Profile:
    flow, runs, time_ms = plan.flow, profile.runs, entry.time_ms
    due_ms = max(time_ms + plan.wait_ms, at.now_ms)
    running = _run_of(runs, plan.key)
    if running is not None:
        if entry.is_old or time_ms <= last_entry_ms(running, plan):
            return profile
        if plan.restarts and running.step in plan.opening:
            restarted = _replace(
                running,
                flow_version=flow.version,
                step=plan.first,
                due_ms=due_ms,
                last_entry_ms=time_ms,
                products=_beside(entry) if entry.attributes else entry.products,
                held_ms=0,
                attributes=entry.attributes,
            )
            return _replace(profile, runs=tuple([restarted if run is running else run for run in runs]))
        if not flow.begins_anew or running.step in plan.opening:
            return profile
    if not _may_enter(profile, plan, time_ms, at):
        return profile
    run = _run(plan, entry, due_ms, at)
    evidence = {"event": entry.evidence, "event_time_ms": str(time_ms)}
    young = too_young(plan, at)
    if entry.is_old:
        verdict = Verdict("too_old", f"{entry.words} came in too late to start the flow.", evidence)
    elif young is not None:
        verdict, profile = Verdict("cold", young, evidence), with_later_entry(profile, plan, at)
    else:
        if running is not None:
            ended = Verdict("exited", f"{entry.words} started the flow again for this customer.", evidence)
            give_receipt(ended, running, arm_of(flow, at.customer), at, profile)
            runs = tuple([other for other in runs if other is not running])
        reason = f"{entry.words} started the flow for this customer."
        verdict = Verdict("entered", reason, evidence | {"due_ms": str(due_ms)})
        if at.rules > 1 and running is None and not has_room(profile):
            give_receipt(verdict, run, arm_of(flow, at.customer), at, profile)
            verdict = Verdict("exited", too_many_reason(), evidence)
        else:
            profile = _with_run(profile, runs, run, plan)
    give_receipt(verdict, run, arm_of(flow, at.customer), at, profile)
    return profile


def _run(plan: CompiledFlow, entry: _Entry, due_ms: int, at: Moment) -> Run:
    candidate_id = derived_id(entry.cause, at.customer, plan.key, plan.flow.version)
    return Run(
        flow_id=plan.key,
        flow_version=plan.flow.version,
        candidate_id=candidate_id,
        cause=entry.cause,
        entered_ms=entry.time_ms,
        due_ms=due_ms,
        step=plan.first,
        last_entry_ms=entry.time_ms,
        products=_beside(entry) if entry.attributes else entry.products,
        attributes=entry.attributes,
    )


def _beside(entry: _Entry) -> tuple[CartItem, ...]:
    """Return the articles that a run has room for beside its attributes."""
    return bounded_products(entry.products, attributes_bytes(entry.attributes))


def _with_run(profile: Profile, others: tuple[Run, ...], run: Run, plan: CompiledFlow) -> Profile:
    entries = _with_entry(profile.entries, plan.key, run.entered_ms) if plan.reentry_ms else profile.entries
    return _replace(profile, runs=(*others, run), entries=entries)


def _run_of(runs: tuple[Run, ...], key: str) -> Run | None:
    for run in runs:
        if run.flow_id == key:
            return run
    return None


def last_entry_ms(run: Run, plan: CompiledFlow) -> int:
    """Return the time of the entry event from which the first wait counts."""
    if last_ms := run.last_entry_ms:
        return last_ms
    return run.due_ms - plan.wait_ms if plan.restarts else run.entered_ms


def _may_enter(profile: Profile, plan: CompiledFlow, time_ms: int, at: Moment) -> bool:
    """Return whether the flow is valid now, and its last entry is long enough ago."""
    valid, after_ms = plan.flow.valid, time_ms - plan.reentry_ms
    if valid is not None and not valid.holds(at.now_ms):
        return False
    for last in profile.entries if plan.reentry_ms else ():
        if last.flow_id == plan.key and last.time_ms > after_ms:
            return False
    return True


def _with_entry(entries: tuple[Entered, ...], flow_id: str, time_ms: int) -> tuple[Entered, ...]:
    if not entries:
        return (Entered(flow_id, time_ms),)
    others = [last for last in entries if last.flow_id != flow_id]
    newest = sorted([*others, Entered(flow_id, time_ms)], key=lambda last: (last.time_ms, last.flow_id))[-ENTRIES_MAX:]
    return tuple(sorted(newest, key=lambda last: last.flow_id))
