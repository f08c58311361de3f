"""The demo as a newcomer runs it: its time, its accounts, and its journals folded again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from streams.demo.demo import run_demo
from streams.operations.folded_journal import verify_prefix
from streams.operations.prefix import open_prefix
from streams.worker_settings import parse_worker
from tests.support.files import real_file

if TYPE_CHECKING:
    from streams.offline.verify import Verification

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(1_800)]

RETAIL = "online_retail/2010-12_2011-06.csv.gz"
RETAIL_LINES = 245_903
SECONDS_MAX = 480.0 - 100.0
"""Eight minutes for `make demo`, of which the set-up of the environment, not in this test, may take 100 s."""


class Demo(NamedTuple):
    exit_code: int
    seconds: float
    """Without what the test itself folds in between."""
    summary: dict[str, Any]
    verified: dict[str, Verification]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    real_file(RETAIL)
    out = tmp_path_factory.mktemp("demo")
    verified: dict[str, Verification] = {}
    folding = 0.0

    def fold_again(prefix: str, brokers: str, name: str) -> None:
        nonlocal folding
        began = time.monotonic()
        verified[name] = verify_prefix(open_prefix(parse_worker(brokers=brokers, prefix=prefix, registry_url="")))
        folding += time.monotonic() - began

    began = time.monotonic()
    exit_code = run_demo(keep=False, out=out, after_run=fold_again)
    seconds = time.monotonic() - began - folding
    return Demo(exit_code, seconds, json.loads((out / "summary.json").read_bytes()), verified)


def test_the_demo_ends_by_itself_in_under_eight_minutes(demo: Demo) -> None:
    print(f"\n{demo.seconds:.0f} s, without the set-up")  # noqa: T201
    assert demo.exit_code == 0
    assert demo.seconds < SECONDS_MAX


def test_its_summary_accounts_for_every_line_of_online_retail(demo: Demo) -> None:
    lines = demo.summary["runs"]["online-retail"]["account"]["lines"]
    refused = lines.pop("refused")
    assert lines.pop("in_file") == RETAIL_LINES == sum(lines.values()) + sum(refused.values())
    assert demo.summary["ok"]


def test_every_equation_of_every_run_holds(demo: Demo) -> None:
    for name, run in demo.summary["runs"].items():
        broken = [each["claim"] for each in run["equations"] if not each["holds"]]
        assert run["equations"], name
        assert broken == [], name


def test_verify_finds_no_difference_in_any_of_its_journals(demo: Demo) -> None:
    assert demo.verified.keys() == demo.summary["runs"].keys()
    for name, found in demo.verified.items():
        assert found.differences == (), name
        assert found.holds, name
        print(f"\n{name}: {found.journal} records of the journal folded again", end="")  # noqa: T201
