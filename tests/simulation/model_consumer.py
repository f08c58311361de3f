"""A model of librdkafka's consumer, as far as the engine uses it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from tests.simulation.model_client import ModelClient, ModelMessage
from tests.simulation.model_group import Group, Member, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from streams.kafka.offsets import PartitionId
    from tests.simulation.faults import Faults
    from tests.simulation.model_broker import ModelBroker
    from tests.simulation.scheduler import Process

    Callback = Callable[["ModelConsumer", list[TopicPartition]], None]

_END = KafkaError(KafkaError._PARTITION_EOF, "end of partition")  # noqa: SLF001 - its name
_REFUSED = KafkaError(KafkaError._AUTO_OFFSET_RESET, "offset out of range")  # noqa: SLF001 - its name
_WAIT_S = 0.005
_TOGETHER_MAX = 8
_SERVED_LATE_SHARE = 0.3
_LET_IN_AGAIN_SHARE = 0.5
"""As a coordinator does with static members that it has forgotten."""


@dataclass
class Fetching:
    """The reading of a partition; `position` is None until the committed offset is known."""

    position: int | None = None
    is_paused: bool = False
    end_told: int = -1
    was_end: bool = False
    """What was last returned was an end of partition."""
    is_refused: bool = False
    """Its offset was out of range: nothing is fetched any more, and a seek is refused."""


class ModelConsumer(ModelClient):
    """A member of a group after `subscribe`, else one who reads what it is assigned."""

    def __init__(self, config: Mapping[str, Any], process: Process, broker: ModelBroker, faults: Faults) -> None:
        super().__init__(process, broker, faults)
        self.places: dict[PartitionId, Fetching] = {}
        self.returned = 0
        """How many messages the last poll and consume gave."""
        self._committed_only = config["isolation.level"] == "read_committed"
        self._resets = config["auto.offset.reset"] != "error"
        self._group = broker.groups.setdefault(config["group.id"], Group(broker))
        self._session_s = config.get("session.timeout.ms", 0) / 1_000
        self._member: Member | None = None
        self._is_lost = False

    # membership

    def subscribe(self, topics: Iterable[str], **callbacks: Callback) -> None:
        self._call("subscribe")
        self._callbacks, self._topics = callbacks, tuple(topics)
        self._member = self._group.add(self, self._topics, self._session_s)
        self.process.on_silent.append(self._fall_silent)

    def consumer_group_metadata(self) -> bytes:
        return metadata(None if self._is_lost else self._member)

    def lose(self) -> None:
        """Learn that the group goes on without this member; or be let in again by name, with what it has."""
        if self.process.scheduler.chance.random() < _LET_IN_AGAIN_SHARE:
            self._member = self._group.add(self, self._topics, self._session_s)
        else:
            self._is_lost = True

    def _fall_silent(self) -> None:
        if self._member is not None:
            self._group.watch(self._member)

    def _serve(self) -> None:
        member = self._member
        if member is None:
            return
        if self._is_lost:
            if self.places:
                self._callbacks["on_lost"](self, self._listed(sorted(self.places)))
            self.places.clear()
            self._is_lost = False
            self._member = self._group.add(self, self._topics, self._session_s)
        elif member.target is not None and self.process.scheduler.now_s >= member.served_from_s:
            gone = sorted(self.places.keys() - member.target)
            new = sorted(member.target - self.places.keys())
            if gone:
                self._callbacks["on_revoke"](self, self._listed(gone))
            if self.consumer_group_metadata() == metadata(None):
                return  # lost meanwhile
            self._callbacks["on_assign"](self, self._listed(new))
            member.target = None
            if gone:
                self._group.rebalance()

    @staticmethod
    def _listed(places: Iterable[PartitionId]) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in places]

    def incremental_assign(self, partitions: Collection[TopicPartition]) -> None:
        self._call("assign")
        self._resume_by_own_count()
        for each in partitions:
            start = None if each.offset == OFFSET_INVALID else self._start(each)
            self.places[each.topic, each.partition] = Fetching(start)
        self._called("assign")

    def incremental_unassign(self, partitions: Collection[TopicPartition]) -> None:
        self._call("unassign")
        for each in partitions:
            self.places.pop((each.topic, each.partition), None)
        self._resume_by_own_count()
        self._called("unassign")

    def _resume_by_own_count(self) -> None:
        # as librdkafka before 2.13.2: one too far behind an end of partition that consume() returned
        for fetching in self.places.values():
            if fetching.position is not None and fetching.was_end:
                fetching.position += 1

    def close(self) -> None:
        self._call("close")
        if self._member is not None:
            if self.places:
                name = "on_lost" if self._is_lost else "on_revoke"
                self._callbacks[name](self, self._listed(sorted(self.places)))
            self._group.remove(self._member)
            self._member = None
        self.places.clear()

    # fetching

    def poll(self, timeout: float) -> ModelMessage | None:
        self._check_alive()
        if self._member is not None:
            self._serve()
        message = self._fetched()
        self.returned = 0 if message is None else 1
        if message is not None:
            self._called("poll")
        elif timeout:
            self._wait(min(timeout, _WAIT_S))
        return message

    def consume(self, count: int, timeout: float) -> list[ModelMessage]:  # noqa: ARG002 - the engine never waits here
        self._check_alive()
        chance = self.process.scheduler.chance
        messages: list[ModelMessage] = []
        wanted = chance.randrange(min(count, _TOGETHER_MAX) + 1)
        while len(messages) < wanted and (message := self._fetched()) is not None:
            messages.append(message)
        if self._member is not None and chance.random() < _SERVED_LATE_SHARE:
            before = {place: (fetching, fetching.position) for place, fetching in self.places.items()}
            self._serve()
            # what is of another place or position than it was is not given out any more
            messages = [each for each in messages if self._is_still_next(each, before)]
        self.returned += len(messages)
        return messages

    def _is_still_next(self, message: ModelMessage, before: Mapping[PartitionId, tuple[Fetching, int | None]]) -> bool:
        place = message.topic(), message.partition()
        return before[place] == (self.places.get(place), before[place][1]) and (
            self.places[place].position == before[place][1]
        )

    def _fetched(self) -> ModelMessage | None:
        """Take the next record or end of any partition that has one."""
        open_ = [place for place in self.places if self._has_something(place)]
        if not open_:
            return None
        place = open_[self.process.scheduler.chance.randrange(len(open_))]
        fetching = self.places[place]
        assert fetching.position is not None
        if self._is_out_of_range(place, fetching.position):
            if not self._resets:
                fetching.is_refused = True
                return ModelMessage(*place, fetching.position, error=_REFUSED)
            fetching.position = self._broker.log(place).low
        offset, entry = self._broker.log(place).next_visible(fetching.position, committed=self._committed_only)
        fetching.was_end = entry is None
        if entry is None:
            fetching.position = fetching.end_told = offset
            return ModelMessage(*place, offset, error=_END)
        fetching.position = offset + 1
        return ModelMessage(*place, offset, entry.key, entry.value, entry.headers, entry.timestamp_ms)

    def _has_something(self, place: PartitionId) -> bool:
        fetching = self.places[place]
        if fetching.is_paused or fetching.is_refused or place in self._broker.stalled:
            return False
        if fetching.position is None:
            if self._broker.pending_offsets[place]:
                return False
            fetching.position = self._broker.offsets.get(place, 0)
        if self._is_out_of_range(place, fetching.position):
            return True
        offset, entry = self._broker.log(place).next_visible(fetching.position, committed=self._committed_only)
        return entry is not None or offset != fetching.end_told

    def _is_out_of_range(self, place: PartitionId, offset: int) -> bool:
        log = self._broker.log(place)
        return not log.low <= offset <= len(log.entries)

    def seek(self, to: TopicPartition) -> None:
        self._call("seek")
        fetching = self._fetching(to)
        if fetching.is_refused:
            raise KafkaException(KafkaError(KafkaError._STATE, f"{to.topic}-{to.partition} is not fetched"))  # noqa: SLF001
        fetching.position = self._start(to)
        fetching.was_end, fetching.end_told = False, -1
        self._called("seek")

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        for each in partitions:
            self._fetching(each).is_paused = True

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._call("resume")
        for each in partitions:
            self._fetching(each).is_paused = False
        self._called("resume")

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._call("read")
        self.places = {(each.topic, each.partition): Fetching(self._start(each)) for each in partitions}

    def _start(self, of: TopicPartition) -> int:
        return self._broker.log((of.topic, of.partition)).low if of.offset == OFFSET_BEGINNING else of.offset

    def _fetching(self, of: TopicPartition) -> Fetching:
        found = self.places.get((of.topic, of.partition))
        if found is None:
            raise KafkaException(KafkaError(KafkaError._STATE, f"{of.topic}-{of.partition} is not assigned"))  # noqa: SLF001
        return found

    # questions

    def committed(self, partitions: Iterable[TopicPartition], timeout: float) -> list[TopicPartition]:  # noqa: ARG002 - virtual
        asked = [(each.topic, each.partition) for each in partitions]
        if not self._committed_only:
            # who only looks asks often, and nothing would go wrong at another call
            return self._offsets(asked)
        self._call("committed")
        while any(self._broker.pending_offsets[place] for place in asked):
            self._wait(_WAIT_S)
        answer = self._offsets(asked)
        self._called("committed")
        return answer

    def _offsets(self, asked: Iterable[PartitionId]) -> list[TopicPartition]:
        return [TopicPartition(*place, self._broker.offsets.get(place, OFFSET_INVALID)) for place in asked]

    def offsets_for_times(self, wanted: Iterable[TopicPartition], timeout: float) -> list[TopicPartition]:  # noqa: ARG002 - virtual
        """The ends: no other time is asked for."""
        return [
            TopicPartition(each.topic, each.partition, len(self._broker.log((each.topic, each.partition)).entries))
            for each in wanted
        ]

    def list_topics(self, topic: str, timeout: float) -> Any:  # noqa: ARG002 - virtual
        partitions = dict.fromkeys(range(len(self._broker.topics[topic])))
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def get_watermark_offsets(self, of: TopicPartition, timeout: float) -> tuple[int, int]:  # noqa: ARG002 - virtual
        self._call("watermarks")
        log = self._broker.log((of.topic, of.partition))
        ends = log.low, log.stable_end if self._committed_only else len(log.entries)
        self._called("watermarks")
        return ends
