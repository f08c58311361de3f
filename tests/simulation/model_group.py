"""A model of a consumer group under the cooperative protocol: members, generations, who gets what."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.kafka.offsets import PartitionId
    from tests.simulation.model_broker import ModelBroker
    from tests.simulation.model_consumer import ModelConsumer

_ASK_AGAIN_S = 0.01
_SERVED_LATE_SHARE, _SERVED_LATE_S = 0.2, 0.3
_HEAD = b"CGMDv2:"
NO_GENERATION = -1


@dataclass(eq=False)
class Member:
    """A consumer as its group knows it."""

    name: str
    consumer: ModelConsumer
    topics: tuple[str, ...]
    session_s: float
    generation: int = NO_GENERATION
    """That it has been told of."""
    has_joined: bool = False
    target: set[PartitionId] | None = None
    """What it was told to have, until its callbacks have seen to it."""
    served_from_s: float = 0.0
    """Its callbacks come no sooner: records that were fetched before are handed out first."""
    claims: set[PartitionId] = field(default_factory=set)


def metadata(member: Member | None) -> bytes:
    """Write a membership down as librdkafka does."""
    if member is None or member.generation < 0:
        generation, name = NO_GENERATION, ""
    else:
        generation, name = member.generation, member.name
    return _HEAD + generation.to_bytes(4, "little", signed=True) + b"group\0" + name.encode() + b"\0"


class Group:
    """The coordinator of one group."""

    def __init__(self, broker: ModelBroker) -> None:
        self.generation = 0
        self.members: dict[str, Member] = {}
        self._broker = broker
        self._is_rebalancing = self._moves = False
        self._joins = 0

    def add(self, consumer: ModelConsumer, topics: tuple[str, ...], session_s: float) -> Member:
        self._joins += 1
        member = Member(f"member-{self._joins:04d}", consumer, topics, session_s)
        self.members[member.name] = member
        self.rebalance()
        return member

    def remove(self, member: Member) -> None:
        if self.members.pop(member.name, None) is not None:
            self.rebalance()

    def check(self, written: bytes) -> None:
        """Refuse the offsets of one who is no member of this generation."""
        generation, name = int.from_bytes(written[7:11], "little", signed=True), written[11:].split(b"\0")[1].decode()
        if not name:
            return  # as in Kafka: a client that says it is not a member is believed
        if name not in self.members:
            raise _refused(KafkaError.UNKNOWN_MEMBER_ID)
        if generation != self.generation:
            raise _refused(KafkaError.ILLEGAL_GENERATION)

    def watch(self, member: Member) -> None:
        """Look once, a session from now, whether the member has been silent for all of it."""
        since_s = self._broker.scheduler.now_s

        def look() -> None:
            process = member.consumer.process
            silent = not process.is_alive or (process.held_until_s > self._broker.scheduler.now_s)
            if silent and member.name in self.members and self._broker.scheduler.now_s - since_s >= member.session_s:
                self.remove(member)
                process.after(0, member.consumer.lose)

        self._broker.scheduler.after(member.session_s, look)

    def rebalance(self, *, moves: bool = False) -> None:
        """Ask every member to join again; `moves` changes owners even if nothing requires it."""
        self._is_rebalancing = True
        self._moves = self._moves or moves
        for member in self.members.values():
            member.has_joined = False
            member.consumer.process.after(0, partial(self._join, member))

    def _join(self, member: Member) -> None:
        if member.name not in self.members or not self._is_rebalancing or member.has_joined:
            return
        if member.target is not None:
            # librdkafka joins when the last assignment has been dealt with
            member.consumer.process.after(_ASK_AGAIN_S, partial(self._join, member))
            return
        member.has_joined, member.claims = True, set(member.consumer.places)
        if all(other.has_joined for other in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        self.generation += 1
        generation, shares = self.generation, self._shares()
        self._is_rebalancing = self._moves = False
        for name, target in shares.items():
            member = self.members[name]
            member.consumer.process.after(0, partial(self._sync, member, generation, target))

    def _sync(self, member: Member, generation: int, target: set[PartitionId]) -> None:
        if member.name in self.members and generation == self.generation and not self._is_rebalancing:
            member.generation, member.target = generation, target
            chance, now_s = self._broker.scheduler.chance, self._broker.scheduler.now_s
            is_late = chance.random() < _SERVED_LATE_SHARE
            member.served_from_s = now_s + chance.random() * _SERVED_LATE_S * is_late

    def _shares(self) -> Mapping[str, set[PartitionId]]:
        """Share out, each member keeping what it may; what has to move is nobody's until its owner let go."""
        places = sorted(
            (topic, number)
            for topic in {topic for member in self.members.values() for topic in member.topics}
            for number in range(len(self._broker.topics[topic]))
        )
        by_generation = sorted(self.members.values(), key=lambda member: (member.generation, member.name))
        # of two who claim a place the one of the later generation has it
        owners = {place: member for member in by_generation for place in member.claims}
        most = -(-len(places) // len(self.members))
        wanted: dict[str, set[PartitionId]] = {name: set() for name in sorted(self.members)}
        moving: list[PartitionId] = []
        for place in places:
            owner = owners.get(place)
            if owner is not None and len(wanted[owner.name]) < most and not self._moves:
                wanted[owner.name].add(place)
            else:
                moving.append(place)
        if self._moves:
            self._broker.scheduler.chance.shuffle(moving)
        for place in moving:
            wanted[_least(wanted)].add(place)
        while max(map(len, wanted.values())) - min(map(len, wanted.values())) > 1:
            name = max(wanted, key=lambda name: len(wanted[name]))
            place = max(wanted[name])
            wanted[name].discard(place)
            wanted[_least(wanted)].add(place)
        return {
            name: {place for place in share if place not in owners or owners[place].name == name}
            for name, share in wanted.items()
        }


def _least(wanted: Mapping[str, Collection[PartitionId]]) -> str:
    return min(wanted, key=lambda name: len(wanted[name]))


def _refused(code: int) -> KafkaException:
    return KafkaException(KafkaError(code, "not a member of this generation", txn_requires_abort=True))
