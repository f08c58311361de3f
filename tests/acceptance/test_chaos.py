"""Chaos, in short: every kind of fault on a real Kafka, and everything happened once; the long form is `make chaos`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.rounds import Order, run_round

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.results import Round

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.timeout(1_200)]


def a_round(folder: Path, kills: int, guarantee: str) -> Round:
    order = Order(random.randrange(1 << 20), 0, kills, guarantee)
    print(order)  # noqa: T201 - shown when the test fails
    found = run_round(order, folder, print)
    assert {fault.kind for fault in found.faults} == KINDS.keys()
    return found


@pytest.mark.heavy
def test_twenty_faults_of_every_kind_lose_and_double_nothing(tmp_path: Path) -> None:
    found = a_round(tmp_path, 12, "exactly_once")
    assert len(found.faults) >= 20
    assert found.broken == []
    assert (found.lost, found.doubled) == (0, 0)


@pytest.mark.slow
def test_at_least_once_loses_nothing_and_repeats_carry_equal_ids(tmp_path: Path) -> None:
    found = a_round(tmp_path, 6, "at_least_once")
    assert found.broken == []
    assert found.lost == 0
