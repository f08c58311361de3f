"""`touchstream verify --stores` compares what workers keep on their disks with the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from state.codec import due_of
from state.rocksdb import RocksDBStore
from tests.support.commands import refused, run
from tests.support.running import Place, a_worker, make_place, send, wait_worked_off
from tests.support.world import START_MS, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

pytestmark = pytest.mark.acceptance

CUSTOMERS = 20


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    """A prefix with the stores of two workers, of which the first is behind."""
    place = make_place(kafka, prefix, tmp_path)
    for number, instance in enumerate("01"):
        with a_worker(place, instance):
            send(place, [an_order(START_MS + number, user=f"c{customer}") for customer in range(CUSTOMERS)])
            # carts have timers
            send(place, [an_add(START_MS + 10 + number, user=f"c{customer}") for customer in range(CUSTOMERS)])
            wait_worked_off(place)
    return place


def verify(place: Place) -> Result:
    return run("verify", "--stores", str(place.folder), **place.variables)


def a_store(place: Place, instance: str) -> Path:
    """The directory of a journal partition that has customers with timers."""
    for path in sorted(place.folder.rglob(f"{instance}/state/**/{place.topics.journal}-*")):
        store = RocksDBStore(path, is_read_only=True)
        has_timers = any(due_of(value) and key.startswith(b"u:") for key, value in store.items())
        store.close()
        if has_timers:
            return path
    raise AssertionError("no timers")


def test_whole_stores_are_found_to_be_right_also_one_that_is_behind(place: Place) -> None:
    done = verify(place)
    assert done.exit_code == 0, done.output
    assert "no difference" in done.output
    # two workers, two partitions of the journal and one of facts, and each changelog by itself
    assert done.output.count("0 keys differ, 0 timers are missing") == 2 * 3 + 3


def test_a_store_that_was_tampered_with_is_named_with_the_customer(place: Place) -> None:
    path = a_store(place, "1")
    store = RocksDBStore(path)
    customers = [key for key, value in store.items() if key.startswith(b"u:") and due_of(value)]
    lost, untimed = customers[0], customers[1]
    framed = store.get(untimed)
    assert framed is not None
    store.write([(lost, None)], store.position, [(due_of(framed), untimed)])
    store.close()
    done = verify(place)
    assert done.exit_code == 1
    [line] = [line for line in done.output.splitlines() if line.startswith(str(path))]
    assert "1 keys differ, 1 timers are missing" in line
    assert lost.decode() in line
    assert untimed.decode() in line
    assert "2 differences" in done.output


def test_a_folder_without_stores_is_told(place: Place, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = refused("verify", "--stores", str(empty), **place.variables)
    assert f"{empty} has no stores of prefix {place.settings.prefix}" in said
