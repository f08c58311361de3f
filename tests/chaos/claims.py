"""What must hold after the faults; a claim that does not is a sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from schemas.touchpoint import Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.demo.report.accounting import account_of, balances
from streams.demo.report.reading import read_records
from streams.kafka.reader import read_committed
from streams.operations.folded_journal import verify_prefix
from streams.operations.prefix import open_prefix
from tests.support.outcomes import differing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.replay.files.mapped import MappedTouchpoint
    from streams.replay.replayer import ReplaySummary
    from tests.support.outcomes import Outcome
    from tests.support.running import Place

TOTALS = ("orders", "revenue_minor", "refunds_minor", "folded", "duplicates", "spend_minor")
"""Facts that do not depend on the order in which a device's records reach its user."""


class Found(NamedTuple):
    """`lost` and `doubled` count touchpoints in the journal and effects; `broken` are the claims that do not hold."""

    lost: int
    doubled: int
    broken: list[str]


def _event_ids(place: Place, topic: str) -> Iterator[str]:
    for message in place.messages(topic):
        if "hops" in {name for name, _ in message.headers() or ()}:
            continue
        record = SINGLE_OBJECT.decode(message.value() or b"")
        if isinstance(record, Touchpoint):
            yield record.event_id


def exactly_once(
    place: Place,
    sent: Sequence[MappedTouchpoint],
    summary: ReplaySummary,
    killed: Outcome,
    calm: Outcome,
    *,
    devices: bool,
) -> Found:
    """Each input's effects once, and everything as the calm run has it."""
    wanted = Counter(each.touchpoint.event_id for each in sent)
    broken, journal = [], Counter(_event_ids(place, "journal"))
    if Counter(_event_ids(place, "touchpoints")) != wanted:
        broken.append("the producer itself lost or doubled touchpoints")
    lost, doubled = (wanted - journal).total(), (journal - wanted).total()
    if not devices:
        lost += (calm.ids - killed.ids).total()
    twice = [what for what, times in killed.ids.items() if times > 1]
    doubled += len(twice)
    if lost or doubled:
        broken.append(f"{lost} lost, {doubled} doubled: {[*(wanted - journal), *(journal - wanted), *twice][:5]}")
    if killed.letters:
        broken.append(f"dead letters: {dict(killed.letters)}")
    broken += [f"account: {each}" for each in _unbalanced(place, summary, len(sent))]
    verified = verify_prefix(open_prefix(place.settings))
    if not verified.holds:
        broken.append(f"verify: {verified.different}, such as {verified.differences[:2]}")
    broken += _unlike(killed, calm, devices=devices)
    return Found(lost, doubled, broken)


def at_least_once(place: Place, sent: Sequence[MappedTouchpoint], killed: Outcome, calm: Outcome) -> Found:
    """Each input's effects at least once; what came twice bears the id that it has in the calm run."""
    wanted = Counter(each.touchpoint.event_id for each in sent)
    journal = Counter(_event_ids(place, "journal"))
    missing = [*(wanted - journal), *(calm.ids.keys() - killed.ids.keys())]
    strange = [*(journal.keys() - wanted.keys()), *(killed.ids.keys() - calm.ids.keys())]
    doubled = (journal - wanted).total() + sum(times - 1 for times in killed.ids.values())
    broken = [f"missing: {missing[:5]}"] * bool(missing) + [f"with ids of no effect: {strange[:5]}"] * bool(strange)
    if killed.letters:
        broken.append(f"dead letters: {dict(killed.letters)}")
    return Found(len(missing), doubled, broken)


def _unbalanced(place: Place, summary: ReplaySummary, sent: int) -> list[str]:
    records = read_records(lambda topic: read_committed(place.settings.brokers, topic), place.topics, SINGLE_OBJECT)
    return balances(account_of(records, summary, sent, place.domain.reporting_currency))


def _unlike(killed: Outcome, calm: Outcome, *, devices: bool) -> list[str]:
    totals = {name: (killed.total(name), calm.total(name)) for name in TOTALS}
    broken = [f"{name} is {one}, in the calm run {other}" for name, (one, other) in totals.items() if one != other]
    if devices:
        return broken
    for topic, keys in differing(calm, killed).items():
        broken.append(f"{topic} differs from the calm run for {len(keys)} keys, such as {keys[:3]}")
    if killed.counts != calm.counts or killed.panel != calm.panel:
        broken.append("the sums of facts differ from the calm run")
    return broken
