"""What must hold after a run, whatever went wrong in it."""

from __future__ import annotations

import traceback
from collections import Counter
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from schemas.journal import Progress
from schemas.limits import PROFILE_BYTES_MAX, ROWS_MAX, WOKEN_OUTPUTS_MAX
from schemas.touchpoint import Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.engine.clients import Clients
from streams.engine.restore import Restoration, restore
from streams.kafka.journal import read_record
from tests.simulation.calm import Calm, calm_run, refolded
from tests.simulation.faults import Fault, Faults
from tests.simulation.history import TOUCHPOINT_PARTITIONS, domain
from tests.simulation.laws import laws
from tests.simulation.model_client import ModelMessage
from tests.simulation.model_consumer import ModelConsumer
from tests.simulation.model_producer import partition_of
from tests.simulation.outcome import ORDERED, Outcome, differences, held, of_customers
from tests.simulation.scheduler import Process
from tests.simulation.worker import TOPICS, inputs
from tests.simulation.world import Broken, Case, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.fold.record import Record
    from streams.kafka.offsets import PartitionId
    from tests.simulation.disk import ModelDisk
    from tests.simulation.model_broker import Entry, Log, ModelBroker


OUTPUTS_MAX = WOKEN_OUTPUTS_MAX + ROWS_MAX + 402
"""Records that one leads to: a slice of credit, and what woken customers' timers send."""
OUTPUTS_BYTES_MAX = 2_500_000


class Finding(NamedTuple):
    """A case in which something does not hold: the first thing, and the faults that had happened by then."""

    case: Case
    what: str
    happened: tuple[Fault, ...]


def find_of(seed: int) -> Finding | None:
    """Play the case of a seed."""
    return find(Case.of(seed))


def find(case: Case) -> Finding | None:
    """Play a case; the first thing that does not hold, if there is one."""
    world = World(case)
    try:
        world.run()
        what = next(flaws(world), None)
    except Broken as broken:
        what = str(broken)
    except Exception:  # noqa: BLE001 - a bug, in the engine or in the model
        what = traceback.format_exc()
    return None if what is None else Finding(case, what, tuple(world.faults.happened))


def flaws(world: World) -> Iterator[str]:
    """Say what does not hold of a world in which everything is worked off.

    1. No worker ended but for what it was told.
    2. What the topics hold is what a calm fold of the same inputs makes of them: effects and their ids in order by
       key, what loops back, letters, sums of the facts, state.
    3. Every disk that is left, restored, has that state.
    4. Where nothing crosses partitions and marks tell the time, all of it equals a calm run of what was sent.
    5. Where nothing comes late, or the brokers' time decides, time has not overtaken what was forwarded.
    6. What has a key is in the partition where Kafka's own clients look for it.
    7. What was sent has come in, and time has come to its end: what a comparison with the fold does not show.
    8. No record leads to more than it may: to so many records, so many bytes, or a profile that is too large.
    """
    yield from world.ended
    yield from _misplaced(world.broker)
    there = held(world.broker)
    yield from laws(world, there)
    yield from differences(there, refolded(world.broker, domain(world.case.clock)))
    if world.case.is_wide:
        yield from _costly(world.broker)
    for slot, disk in enumerate(world.disks):
        yield from _restored(world, slot, disk, there)
    if world.is_wall or (world.case.has_devices and not world.case.has_late):
        yield from _overtaken(world.broker.topics[TOPICS.journal])
    elif not world.case.has_devices:
        yield from differences(of_customers(there), of_customers(calm_run(world.sent)))


def _costly(broker: ModelBroker) -> Iterator[str]:
    outcome = Outcome()
    for source in inputs(domain()):
        calm = Calm(source, outcome)
        for number, log in enumerate(broker.topics[source.topic]):
            for item in log.committed():
                outputs = calm.work_off(number, [item])
                size = sum(len(output.key or b"") + len(output.value or b"") for output in outputs)
                if len(outputs) > OUTPUTS_MAX or size > OUTPUTS_BYTES_MAX:
                    yield f"{source.topic}-{number} {item[0]} leads to {len(outputs)} records of {size} bytes"
        calm.end()
    for place, state in outcome.state.items():
        for key, framed in state.items():
            if len(framed) > PROFILE_BYTES_MAX:
                yield f"{key!r} has {len(framed)} bytes in {place}"


def _misplaced(broker: ModelBroker) -> Iterator[str]:
    for topic in (*ORDERED, TOPICS.journal):
        logs = broker.topics[topic]
        for number, log in enumerate(logs):
            for offset, entry in log.committed():
                if entry.key is not None and number != partition_of(entry.key, len(logs)):
                    yield f"{entry.key!r} is in {topic}-{number}, at {offset}"


def _restored(world: World, slot: int, disk: ModelDisk, there: Outcome) -> Iterator[str]:
    process, faults = Process(world.scheduler), Faults((), lambda *_: None)
    # a fault that the disk still had when the run ended is over
    disk.process, disk.refused = process, {}
    clients = Clients(consumer=lambda config: ModelConsumer(config, process, world.broker, faults), disk=disk)
    for source in inputs(domain()):
        for number in range(len(world.broker.topics[source.topic])):
            place: PartitionId = source.topic, number
            found = restore(Restoration(world.settings(slot), clients, source, number, Event(), lambda _: None))
            if found is None or found.store is None:
                continue
            if dict(found.store.items()) != there.state[place]:
                yield f"the disk of worker {slot} does not have the state of {place}"
            if found.committed != world.broker.offsets.get(place, -1):
                yield f"{place} is committed up to {found.committed}"


def _overtaken(logs: Iterable[Log]) -> Iterator[str]:
    """Look for touchpoints that were forwarded after time had been told to have passed them."""
    journal = [[(offset, _read(entry)) for offset, entry in log.committed()] for log in logs]
    collected = Counter(
        record.value.event_id
        for records in journal
        for _, record in records
        if isinstance(record.value, Touchpoint) and not record.hops
    )
    for records in journal:
        come: dict[int, int] = {}
        for offset, record in records:
            if isinstance(record.value, Progress):
                come |= {each.partition: each.time_ms for each in record.value.partitions}
            elif isinstance(record.value, Touchpoint) and record.hops and collected[record.value.event_id] == 1:
                now_ms = min(come.values()) if len(come) == TOUCHPOINT_PARTITIONS else -1
                if record.received_ms <= now_ms:
                    yield f"{record.value.event_id} came at {offset}, after time had come to {now_ms}"


def _read(entry: Entry) -> Record:
    return read_record(ModelMessage("", 0, 0, entry.key, entry.value, entry.headers), SINGLE_OBJECT)
