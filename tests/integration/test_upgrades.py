"""Two releases on one prefix: the newer reads what the older stored, the older stops at what the newer stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schemas.journal import Configured
from schemas.outputs import ProfileView
from schemas.wire import encode
from streams.demo.servers.server import DidNotStart
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import Publisher
from streams.profiles.codec import VERSION
from tests.support.outcomes import read_outcome
from tests.support.running import NEEDS_PERSON, AWorker, Place, a_worker, make_place, send, wait_worked_off
from tests.support.stored import BY_VERSION_1
from tests.support.watching import until
from tests.support.world import START_MS, an_order

if TYPE_CHECKING:
    from pathlib import Path


COMMAND = "from streams.__main__ import main; main()"
LATER = f"import streams.profiles.codec as codec; codec.VERSION = {VERSION + 1}\n"


class AnotherRelease(AWorker):
    """The command `touchstream worker` of this release, or of a later one that stores profiles of a later version."""

    def __init__(self, place: Place, instance: str, release: str = "") -> None:
        super().__init__(place, instance)
        self._release = release

    @property
    def program(self) -> list[str]:
        return ["-c", self._release + COMMAND, "worker"]


def test_a_worker_stops_at_a_profile_of_a_later_release_and_loses_nothing(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with AnotherRelease(place, "new", LATER) as newer:
        send(place, [an_order(START_MS, 1_000, user="7")], 0)
        wait_worked_off(place)
    assert newer.exit_code == 0

    older = AnotherRelease(place, "old")
    with older:
        send(place, [an_order(START_MS + 1, 200, user="7")], 0)
        until(lambda: older.exit_code is not None, "the older worker stops")
    assert older.exit_code == NEEDS_PERSON
    last_line = older.log.read_text().splitlines()[-1]
    later = f"a profile of version {VERSION + 1} was written by a later release"
    assert last_line == f"touchstream: {later}; this release reads up to {VERSION}"

    with AnotherRelease(place, "new", LATER):
        wait_worked_off(place)
    assert place.last("profiles", ProfileView)["u:7"].monetary_minor == 1_200
    outcome = read_outcome(place)
    assert (outcome.total("orders"), outcome.letters.total()) == (2, 0)


def test_settings_of_a_later_release_are_refused_before_anything_is_read(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    later = place.domain.model_dump(mode="json") | {"new_in_a_later_release": 1}
    publish(place, later)
    older = AnotherRelease(place, "old")
    with pytest.raises(DidNotStart, match="exit code 2"):
        older.start()
    assert older.log.read_text().splitlines() == ["touchstream: new_in_a_later_release is 1: there is no such setting"]


def publish(place: Place, settings: dict[str, object]) -> None:
    value = encode(Configured(json.dumps(settings), 0))
    publisher = Publisher(place.settings, "test")
    with publisher.transaction():
        for partition in range(place.domain.journal_partitions):
            publisher.send(place.topics.journal, partition, None, value)
        publisher.send(place.topics.settings, 0, b"settings", value)


def test_a_profile_that_an_earlier_release_stored_goes_on(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with a_worker(place, "before"):
        send(place, [an_order(START_MS, user="8")], 0)
        wait_worked_off(place)
    publisher = Publisher(place.settings, "test")
    with publisher.transaction():
        publisher.send(place.topics.profiles_changelog, partition_of("u:7", 2), b"u:7", BY_VERSION_1)
    with a_worker(place, "after"):
        send(place, [an_order(START_MS + 1, 700, user="7")], 0)
        wait_worked_off(place)
    profile = place.last("profiles", ProfileView)["u:7"]
    assert (profile.orders, profile.monetary_minor) == (2, 4_200 + 700)
