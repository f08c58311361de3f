"""Hashes of all that the fold gives, the human text of reasons masked, beside those that an earlier commit gave.

    python -m tests.support.same_bytes "why other bytes are right from now on"

writes the hashes of the present code to EXPECTED. A reason is a sentence for people in decisions, triggers, revocations
and in the triggers that stored profiles hold; nothing else is masked, and each record is checked to be written as
it was read before. Triggers and public profiles have the schemas of the first release: fields came since, in which
these rules put nothing.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from datetime import date
from hashlib import sha256
from itertools import chain, count
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from schemas.catalogue import released_schemas, single_object_header
from schemas.encoder import compile_encoder
from schemas.journal import Absorbed
from schemas.outputs import Decision, ProfileView, Revocation, Trigger
from schemas.touchpoint import Consent
from schemas.units import DAY_MS, HOUR_MS
from schemas.wire import SINGLE_OBJECT
from streams.fold.partition_state import PARTITION_KEY
from streams.offline.journal_file import JournalFile, write_journal
from streams.offline.refold import refold
from streams.offline.sums import Sums
from streams.profiles.codec import decode_profile, encode_profile
from streams.shop.generator import Shop, ShopParameters
from tests.bench.mix import clickstream, touchpoints
from tests.support.flows import TEN
from tests.support.kept import KeptJournal
from tests.support.memory_worker import TOPICS, MemoryWorker, configured
from tests.support.shop_folded import CUTS
from tests.support.world import a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import Message

    from schemas.insights import Facts
    from schemas.touchpoint import Touchpoint

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXPECTED = FIXTURES / "same_bytes.json"
JOURNAL = FIXTURES / "journal_of_0.1.avro"
"""What `write_journal_of_a_shop` wrote at commit 4f0494e, by rules 1."""
JOURNAL_OF_RULES_2 = FIXTURES / "journal_of_rules_2.avro"
"""What it wrote with odd orders by rules 2, before there were others."""
JOURNAL_OF_RULES_3 = FIXTURES / "journal_of_rules_3.avro"
"""What it wrote with odd orders and odd people by rules 3, before there were others."""
JOURNALS = {path.stem: path for path in (JOURNAL, JOURNAL_OF_RULES_2, JOURNAL_OF_RULES_3)}
MIXES: dict[str, Callable[[int], Iterable[Touchpoint]]] = {"clickstream": clickstream, "made shop": touchpoints}
EVENTS = 5_000
_COMMIT_EVERY = 500


class Hashed(msgspec.Struct, frozen=True):
    """What one topic or the state holds."""

    records: int
    sha256: str


class Expected(msgspec.Struct, frozen=True):
    """The file EXPECTED."""

    reason: str
    """Why the hashes are those of this code."""
    mixes: dict[str, dict[str, Hashed]]
    journals: dict[str, dict[str, Hashed]]
    """By the name of the journal."""


class _Digest:
    def __init__(self) -> None:
        self._digest = sha256()
        self._records = 0

    def add(self, *parts: bytes | None) -> None:
        """Takes in a record."""
        self._records += 1
        for part in parts:
            # no value is told from an empty one, and no two parts run together
            self._digest.update((-1 if part is None else len(part)).to_bytes(8, "big", signed=True) + (part or b""))

    def hashed(self) -> Hashed:
        return Hashed(self._records, self._digest.hexdigest())


def of_mix(name: str) -> dict[str, Hashed]:
    """Of ten flows that meet EVENTS touchpoints of a mix, and of 40 days after them: by topic, and of all stored."""
    worker = MemoryWorker(_configured_in(JOURNAL))
    time_ms = 0
    for number, event in enumerate(MIXES[name](EVENTS), 1):
        worker.send(event)
        time_ms = max(time_ms, event.time_ms)
        if number % _COMMIT_EVERY == 0:
            worker.pass_time(time_ms)
    for days in range(1, 41):
        worker.pass_time(time_ms + days * DAY_MS)
    digests: dict[str, _Digest] = {}
    sums: dict[int, Sums] = {}
    for output in worker.outputs:
        topic = output.topic.removeprefix(f"{TOPICS.prefix}.")
        if topic == "facts":
            facts: Facts = SINGLE_OBJECT.decode(output.value or b"")
            sums.setdefault(facts.partition, Sums()).add(facts)
        else:
            headers = repr(output.headers).encode()
            digests.setdefault(topic, _Digest()).add(output.key, masked(output.value), headers)
    hashed = {topic: digest.hashed() for topic, digest in digests.items()}
    return {**hashed, "facts": _of_sums(sums), "changelog": _of_state(worker.changelog)}


def of_journal(path: Path) -> dict[str, Hashed]:
    """Of a journal in a file, folded from its beginning: by topic, as `touchstream verify` does, and of the state."""
    contents = {number: refold(journal, SINGLE_OBJECT) for number, journal in sorted(read_partitions(path).items())}
    digests: dict[str, _Digest] = {}
    for folded in contents.values():
        for topic, by_key in folded.topics.items():
            digest = digests.setdefault(topic, _Digest())
            for key, values in sorted(by_key.items()):
                for value in values:
                    digest.add(key, masked(value))
    hashed = {topic: digest.hashed() for topic, digest in digests.items()}
    sums = _of_sums({number: folded.sums for number, folded in contents.items()})
    stored = (sorted(folded.state.items()) for folded in contents.values())
    return {**hashed, "facts": sums, "state": _of_state(chain.from_iterable(stored))}


def masked(value: bytes | None) -> bytes | None:
    """A record of a topic without the text of its reason, if it is one that has one."""
    if value is None:
        return None
    record = SINGLE_OBJECT.decode(value)
    assert SINGLE_OBJECT.encode(record) == value
    if isinstance(record, (Decision, Revocation, Trigger)):
        record = msgspec.structs.replace(record, reason="")
    elif isinstance(record, Absorbed):
        record = msgspec.structs.replace(record, profile=masked_profile(record.profile))
    return _as_then(record) if isinstance(record, (ProfileView, Trigger)) else SINGLE_OBJECT.encode(record)


def _as_then(record: msgspec.Struct) -> bytes:
    """A record as the first release wrote it. Nothing is in its later fields, or it would not be read as the same."""
    (schema, *_) = released_schemas("profile" if isinstance(record, ProfileView) else "trigger")
    written: bytes = compile_encoder(schema)(single_object_header(schema), record)
    assert SINGLE_OBJECT.decode(written) == record
    return written


def masked_profile(value: bytes) -> bytes:
    """A stored profile without the text of the reasons in the triggers that it holds."""
    profile = decode_profile(value)
    assert encode_profile(profile) == value
    messages = tuple(
        msgspec.structs.replace(each, trigger=msgspec.structs.replace(each.trigger, reason=""))
        for each in profile.pending
    )
    return encode_profile(msgspec.structs.replace(profile, pending=messages))


def expected() -> Expected:
    """What an earlier commit gave."""
    return msgspec.json.decode(EXPECTED.read_bytes(), type=Expected)


def write_journal_of_a_shop(path: Path) -> None:
    """Writes the journal of a shop with ten flows in two partitions, and five weeks in which time alone passes.

    In these weeks customers unsubscribe when a message to them is out but not due yet: it is taken back. At the end is
    another day of the shop, during which no time passes, so that messages are held back.
    """
    worker = MemoryWorker(
        configured(
            clock="marks",
            consent_default="granted",
            touchpoint_partitions=2,
            journal_partitions=2,
            cuts_fixed=CUTS,
            flows=TEN,
        )
    )
    first, last = _a_shop(date(2025, 9, 1), days=4), _a_shop(date(2025, 10, 8), days=1)
    calm = [(event.time_ms, event) for event in Shop(first).touchpoints()]
    events = deque(with_odd_people(with_odd_orders(calm)))
    for time_ms in range(first.start_ms, last.start_ms, 3 * HOUR_MS):
        while events and events[0][0] < time_ms:
            received_ms, event = events.popleft()
            worker.send(event, received_ms)
        worker.pass_time(time_ms)
        for user in _waiting(worker):
            worker.send(a_touchpoint("email_unsubscribed", time_ms, user, event_id=f"{user} {time_ms}"))
    for event in Shop(last).touchpoints():
        worker.send(event)
    worker.commit()
    write_journal(path, KeptJournal([record for journal in worker.journal for record in journal]))


def with_odd_orders(events: Iterable[tuple[int, Touchpoint]]) -> list[tuple[int, Touchpoint]]:
    """Touchpoints with the times of their arrival, where of five orders only the first is as it should be.

    One is sent again, one cancelled, one refunded before it comes, and one of another currency refunded and late.
    """
    arriving: list[tuple[int, Touchpoint]] = []
    numbers = count()
    for time_ms, event in events:
        arriving.append((time_ms, event))
        order = event.order
        if order is None or event.type != "order_completed":
            continue
        later_ms, number = time_ms + HOUR_MS, next(numbers) % 5
        follow_up = replace(event, event_id=f"{event.event_id} again", time_ms=later_ms)
        if number == 1:
            arriving.append((later_ms, follow_up))
        elif number == 2:
            arriving.append((later_ms, replace(follow_up, type="order_cancelled")))
        elif number == 3:
            arriving[-1] = (later_ms + 1, event)
            arriving.append((later_ms, replace(follow_up, type="order_refunded")))
        elif number == 4:
            foreign = replace(order, currency="USD")
            arriving[-1] = (later_ms, replace(event, order=foreign))
            arriving.append((later_ms, replace(follow_up, type="order_refunded", order=foreign)))
    return sorted(arriving, key=itemgetter(0))


def with_odd_people(events: Iterable[tuple[int, Touchpoint]]) -> list[tuple[int, Touchpoint]]:
    """Touchpoints with the times of their arrival, where some customers share addresses and devices, and say things.

    They grant and withdraw by channel, some of it late; some order as guests with an address that others have; messages
    to some addresses are refused or unsubscribed from, without another id.
    """
    arriving: list[tuple[int, Touchpoint]] = []
    for number, (time_ms, event) in enumerate(events):
        address = sha256(f"household {number % 12}".encode()).hexdigest()
        changed, said = event, a_touchpoint("consent_changed", time_ms, event.user_id, event_id=f"says {number}")
        if event.user_id and sum(event.user_id.encode()) % 4 == 1:
            changed = replace(event, email_hash=address)
        elif number % 40 == 2 and event.user_id:
            changed = replace(event, anonymous_id=f"kiosk {number % 3}")
        elif number % 90 == 3 and event.order and event.type == "order_completed":
            changed = replace(event, user_id=None, anonymous_id=None, email_hash=address)
        arriving.append((time_ms, changed))
        if number % 15 == 4 and event.user_id:
            channel = ("email", "sms", "push", "all")[number // 15 % 4]
            granted, late_ms = number // 15 % 7 > 0, number // 15 % 5 * HOUR_MS
            arriving.append((time_ms + late_ms, replace(said, consent=Consent(channel=channel, granted=granted))))
        elif number % 100 == 5:
            kind = ("email_bounced", "email_bounced", "email_unsubscribed")[number // 100 % 3]
            arriving.append((time_ms, replace(said, type=kind, user_id=None, email_hash=address)))
    return sorted(arriving, key=itemgetter(0))


def _a_shop(start: date, days: int) -> ShopParameters:
    return ShopParameters(
        start=start,
        days=days,
        orders_per_hour=2,
        customers=60,
        cart_share=0.6,
        refund_share=0.15,
        duplicate_share=0.02,
        outages=(),
    )


def _waiting(worker: MemoryWorker) -> list[str]:
    """Users to whom a message is out that is not due yet."""
    return [
        key.decode().removeprefix("u:")
        for overlay in worker.overlays
        for key, profile in overlay.items(b"u:")
        if any(not message.is_held for message in profile.pending)
    ]


def _configured_in(path: Path) -> bytes:
    """The settings that a journal begins with: their text is part of the state, and is to stay as it is."""
    return read_partitions(path)[0][0].value() or b""


def read_partitions(path: Path) -> dict[int, list[Message]]:
    """Each partition of a journal in a file."""
    partitions: dict[int, list[Message]] = {}
    for message in JournalFile(path).records({}):
        partitions.setdefault(message.partition() or 0, []).append(message)
    return partitions


def _of_sums(sums: dict[int, Sums]) -> Hashed:
    digest = _Digest()
    for number, own in sorted(sums.items()):
        rows = Counter({msgspec.json.encode(row): times for row, times in own.panel.items()})
        for each in (*sorted(own.counts.items()), *sorted(rows.items())):
            if each[1]:
                digest.add(repr((number, *each)).encode())
    return digest.hashed()


def _of_state(stored: Iterable[tuple[bytes, bytes | None]]) -> Hashed:
    digest = _Digest()
    for key, value in stored:
        digest.add(key, value if value is None or key == PARTITION_KEY else masked_profile(value))
    return digest.hashed()


def main() -> None:
    (reason,) = sys.argv[1:]
    found = Expected(
        reason, {name: of_mix(name) for name in MIXES}, {name: of_journal(path) for name, path in JOURNALS.items()}
    )
    EXPECTED.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


if __name__ == "__main__":
    main()
