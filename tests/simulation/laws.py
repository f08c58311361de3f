"""What must hold whatever the fold makes of the records: a comparison with the fold itself does not see it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from schemas.journal import CollectedTo, SlotAnswered, SlotAsked
from schemas.outputs import DeadLetter, Revocation
from schemas.touchpoint import Mark, Touchpoint
from schemas.units import HOUR_MS
from schemas.wire import SINGLE_OBJECT
from state.codec import due_of
from streams.fold.granting import SETTLED_MS
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState
from streams.kafka.journal import read_record
from tests.simulation.history import JOURNAL_PARTITIONS, TOUCHPOINT_PARTITIONS, last_marks
from tests.simulation.model_client import ModelMessage
from tests.simulation.model_producer import partition_of
from tests.simulation.outcome import TIMES
from tests.simulation.worker import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.history import Sent
    from tests.simulation.outcome import Outcome
    from tests.simulation.world import World

CAP_MS = 20 * HOUR_MS
"""Between two promotions by one channel, as the flow of the histories has it."""
_MARK = SINGLE_OBJECT.header(Mark)
_EVENT = SINGLE_OBJECT.header(Touchpoint)


def laws(world: World, there: Outcome) -> Iterator[str]:
    """Say which law does not hold of what the topics hold.

    1. What was sent has come into the journal, or to the letters, once.
    2. Time has come to the last marks in every partition, and no timer is left that is due.
    3. Where nothing comes late, no input was announced to be collected up to a time that comes after. Where the
       brokers' time decides, nothing does: a record's time is their stamp.
    4. What was to go wrong went wrong when its moment came.
    5. Where the brokers' time decides, no time was told before it had come, whatever a worker's own clock says.
    6. No mailbox got two reminders within the hours of the flow's cap, and no question to an address is lost.
    """
    yield from _come_in(world, world.case.sent or world.sent)
    yield from _on_time(world, there)
    yield from _too_often(world)
    yield from _unanswered(world)
    if world.is_wall:
        yield from _told_too_soon(world)
    if world.is_wall or not world.case.has_late:
        yield from _announced_too_soon(world)
    yield from (f"{fault} did not happen" for fault in world.faults.missed)


def _too_often(world: World) -> Iterator[str]:
    gone: dict[str, dict[str, int]] = {}
    revoked = set()
    for log in world.broker.topics[TOPICS.triggers]:
        for _, entry in log.committed():
            record = SINGLE_OBJECT.decode(entry.value or b"")
            if isinstance(record, Revocation):
                revoked.add(record.trigger_id)
            elif record.email_hash is not None:
                goes_ms = max(record.decided_ms, record.due_ms)
                gone.setdefault(record.email_hash, {})[record.trigger_id] = goes_ms
    for address, triggers in gone.items():
        times = sorted([goes_ms for trigger_id, goes_ms in triggers.items() if trigger_id not in revoked])
        for first, last in pairwise(times):
            if last - first < CAP_MS:
                yield f"{address} was reminded at {first} and at {last}"


def _unanswered(world: World) -> Iterator[str]:
    """Look for messages for which an address was asked, and which it neither answered nor got back."""
    asked, done = set(), set()
    for log in world.broker.topics[TOPICS.journal]:
        for _, entry in log.committed():
            record = read_record(ModelMessage("", 0, 0, entry.key, entry.value, entry.headers), SINGLE_OBJECT).value
            if isinstance(record, SlotAnswered):
                done.add(record.candidate_id)
            elif isinstance(record, SlotAsked):
                # at the end of all, the last ones have not had the time to settle
                is_settled = record.decided_ms + SETTLED_MS <= min(last_marks(world.sent).values(), default=0)
                if record.kind == "asked" and is_settled:
                    asked |= {slot.candidate_id for slot in record.slots}
                elif record.kind == "freed":
                    done |= {slot.candidate_id for slot in record.slots}
    yield from (f"the address never answered for {candidate_id}" for candidate_id in sorted(asked - done))


def _come_in(world: World, sent: Iterable[Sent]) -> Iterator[str]:
    records = [each.value for each in sent if not each.value.startswith(_MARK)]
    wanted = Counter(SINGLE_OBJECT.decode_as(Touchpoint, each).event_id for each in records if each.startswith(_EVENT))
    come: Counter[str] = Counter()
    for log in world.broker.topics[TOPICS.journal]:
        for _, entry in log.committed():
            record = read_record(ModelMessage("", 0, 0, entry.key, entry.value, entry.headers), SINGLE_OBJECT)
            if isinstance(record.value, Touchpoint) and not record.hops:
                come[record.value.event_id] += 1
    for name in sorted(wanted.keys() | come.keys()):
        if wanted[name] != come[name]:
            yield f"{name} was sent {wanted[name]} times and came into the journal {come[name]} times"
    letters = [
        SINGLE_OBJECT.decode_as(DeadLetter, entry.value or b"")
        for _, entry in world.broker.topics[TOPICS.dead_letters][0].committed()
    ]
    refused = sum(letter.stage == "collect" for letter in letters)
    if refused != len(records) - wanted.total():
        yield f"of {len(records) - wanted.total()} records that are none the door refused {refused}"


def _announced_too_soon(world: World) -> Iterator[str]:
    sent = Counter(each.value for each in world.sent)
    for number, log in enumerate(world.broker.topics[TOPICS.journal]):
        collected: dict[int, int] = {}
        for offset, entry in log.committed():
            record = read_record(ModelMessage("", 0, 0, entry.key, entry.value, entry.headers), SINGLE_OBJECT)
            if isinstance(record.value, CollectedTo):
                collected |= {each.partition: each.time_ms for each in record.value.partitions}
            elif isinstance(record.value, Touchpoint) and not record.hops and sent[entry.value or b""] == 1:
                source = partition_of(entry.key or b"", TOUCHPOINT_PARTITIONS)
                time_ms = record.received_ms if world.is_wall else record.value.time_ms
                if time_ms <= collected.get(source, -1):
                    yield f"{record.value.event_id} is at {offset} of journal partition {number}, after {collected}"


def _told_too_soon(world: World) -> Iterator[str]:
    for number, log in enumerate(world.broker.topics[TOPICS.journal]):
        for offset, entry in log.committed():
            if not entry.value or not entry.value.startswith(TIMES):
                continue
            told = SINGLE_OBJECT.decode(entry.value)
            latest_ms = max((each.time_ms for each in told.partitions), default=0)
            if latest_ms > entry.timestamp_ms:
                yield f"journal partition {number} was told {latest_ms} at {entry.timestamp_ms}, at {offset}"


def _has_come(world: World, now_ms: int | None) -> bool:
    if world.is_wall:
        return now_ms is not None and now_ms >= world.time.told_to_ms
    return now_ms == min(last_marks(world.sent).values(), default=None)


def _on_time(world: World, there: Outcome) -> Iterator[str]:
    codec = JournalCodec()
    for number in range(JOURNAL_PARTITIONS):
        state = there.state[TOPICS.journal, number]
        known = codec.decode(PARTITION_KEY, state[PARTITION_KEY]) if PARTITION_KEY in state else None
        if not isinstance(known, PartitionState) or not _has_come(world, known.now_ms):
            yield f"time in partition {number} has not come to its end: {known}"
            continue
        if known.is_waking:
            yield f"partition {number} waits for a record that would wake it"
        for key, framed in state.items():
            if known.now_ms is not None and 0 < due_of(framed) <= known.now_ms:
                yield f"a timer of {key!r} was due at {due_of(framed)}, and it is {known.now_ms}"
