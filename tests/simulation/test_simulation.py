"""Whatever goes wrong in a simulated run, what came of it is what a calm run makes of the same records."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from streams.demo.servers.places import PROJECT
from tests.mutants import MUTANTS
from tests.simulation import checking
from tests.simulation.checking import Finding, find, find_of, flaws
from tests.simulation.faults import CYCLE, DISK, Fault
from tests.simulation.report import shown
from tests.simulation.shrinking import shrunken
from tests.simulation.world import Case, World

SEEDS = 100


def assert_holds(case: Case) -> None:
    finding = find(case)
    assert finding is None, shown(finding, finding)


def a_case(seed: int, *faults: Fault, workers: int = 2) -> Case:
    return replace(Case.of(seed), faults=faults, workers=workers)


def test_nothing_is_lost_or_doubled_whatever_goes_wrong(seed: int) -> None:
    for each in range(seed, seed + SEEDS):
        assert_holds(Case.of(each))


@pytest.mark.parametrize("call", CYCLE)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_step_of_the_cycle_leaves_no_trace(call: str, when: str, seed: int) -> None:
    for kind in ("crash", "crash and wipe", "crash and forget"):
        case = a_case(seed, Fault(f"{kind} {when}", call, 3))
        world = World(case)
        world.run()
        assert tuple(world.faults.happened) == case.faults
        assert next(flaws(world), None) is None, kind


@pytest.mark.parametrize("kind", DISK)
def test_a_disk_that_refuses_ends_the_worker_and_its_stores_are_kept(kind: str, seed: int) -> None:
    for call in DISK[kind]:
        case = a_case(seed, Fault(kind, call, 2), workers=1)
        world = World(case)
        # what is damaged would be set aside or destroyed, and the model refuses the one and the test the other
        world.disks[0].destroy = unexpected  # type: ignore[method-assign]
        world.run()
        assert tuple(world.faults.happened) == case.faults
        assert next(flaws(world), None) is None, f"{kind} at {call}"


def unexpected(path: object) -> None:
    raise AssertionError(f"{path} is destroyed")


def test_a_calm_worker_aborts_nothing(seed: int) -> None:
    world = World(a_case(seed, workers=1))
    world.run()
    assert not any(log.aborted for logs in world.broker.topics.values() for log in logs)


def test_calm_workers_end_only_when_they_are_told(seed: int) -> None:
    world = World(a_case(seed, workers=3))
    world.run()
    assert len(world.workers) == 3
    # a cycle that meets another one's joining may be aborted, and comes again
    assert world.ended == []


def test_a_seed_gives_the_same_run_in_every_process(seed: int) -> None:
    script = (
        "import hashlib; from tests.simulation.quiet import quiet; quiet();"
        " from tests.simulation.world import Case, World;"
        f" world = World(Case.of({seed})); world.run();"
        " logs = [[log.entries for log in logs] for logs in world.broker.topics.values()];"
        " print(world.scheduler.now_s, hashlib.sha256(repr(logs).encode()).hexdigest())"
    )
    runs = {
        subprocess.check_output(
            [sys.executable, "-c", script], cwd=PROJECT, env={**os.environ, "PYTHONHASHSEED": hash_seed}
        )
        for hash_seed in ("1", "2")
    }
    assert len(runs) == 1


def test_a_finding_is_shrunken_and_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS["no_rewind_after_abort"](monkeypatch)
    found = next(filter(None, map(find_of, range(100))))
    smaller = shrunken(found.case, lambda case: find(case) is not None, tries_max=40)
    assert len(smaller.faults) + len(smaller.sent) < len(found.case.faults) + len(found.case.sent)
    finding = find(smaller)
    assert isinstance(finding, Finding)
    text = shown(found, finding)
    assert f"make simulate SEEDS=1 SEED={found.case.seed}" in text
    assert all(str(fault) in text for fault in smaller.faults)
    assert found.what[:100] in text


def test_the_command_plays_many_seeds() -> None:
    command = [sys.executable, "-m", "tests.simulation", "3", "7"]
    shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "3 seeds from 7: nothing lost, nothing twice" in shown.stdout


def test_the_faults_of_many_seeds_are_of_every_kind_and_at_every_step() -> None:
    faults = [fault for seed in range(2_000) for fault in Case.of(seed).faults]
    calls = {(fault.kind, fault.call) for fault in faults}
    for call in CYCLE:
        for kind in ("crash before", "crash after", "crash and wipe before", "crash and forget after", "hold"):
            assert (kind, call) in calls


@pytest.mark.parametrize("limit", ["OUTPUTS_MAX", "OUTPUTS_BYTES_MAX", "PROFILE_BYTES_MAX"])
def test_a_record_that_leads_to_more_than_it_may_is_noticed(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = next(case for case in map(Case.of, range(1_000)) if case.is_wide)
    assert_holds(wide)
    monkeypatch.setattr(checking, limit, 3)
    finding = find(wide)
    assert finding is not None
    assert ("leads to" if limit.startswith("OUTPUTS") else "bytes in") in finding.what
