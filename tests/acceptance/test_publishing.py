"""Flows are published, paused and changed while a real shop runs; its journal reproduces everything."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from schemas.journal import Configured
from schemas.outputs import Decision, Revocation, Trigger
from schemas.wire import SINGLE_OBJECT, encode
from streams.collect.keys import key_of
from streams.flows.language.arms import SHADOW
from streams.flows.language.assignment import is_of_canary
from streams.flows.language.mistakes import parse_flow
from streams.operations.folded_journal import hashes_of, verify_prefix
from streams.operations.prefix import open_prefix
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from streams.replay.files.sources import open_source
from streams.replay.replayer import Source
from tests.support.commands import run as command
from tests.support.files import real_file
from tests.support.flows import UNCAPPED, a_bare_flow
from tests.support.producing import a_producer
from tests.support.retail import CURRENCY, ZONE
from tests.support.retail_run import first_weeks
from tests.support.running import Place, a_worker, make_place, play, send
from tests.support.watching import until
from tests.support.world import an_add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from streams.replay.files.mapped import Mapped

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(600)]

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
PUBLISHED, PAUSED, RESUMED, REPLACED = (
    round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    for day in ("2010-12-06", "2010-12-13", "2010-12-20", "2011-01-03")
)
"""Mondays: the replay halts there until the workers have folded all that was before."""
FIRST = 40
"""Customers; enough to be in every partition."""
IDLE = 1_000
"""Customers; more than one record takes messages back from."""
SHARE = 40.0
THANKS = a_bare_flow(
    "thanks",
    "order_completed",
    goal={"event": "order_completed", "window": "14d"},
    wait={"for": "6h"},
    expires_after="3d",
    caps=UNCAPPED,
    steps=[
        {"name": "thanks", "do": "trigger", "offer": "thanks"},
        {"name": "weeks", "do": "wait", "for": "18d"},
        {"name": "idea", "do": "trigger", "offer": "idea"},
    ],
)
SECOND = THANKS | {"version": 2, "channel": "sms", "running_customers": "finish"}
THIRD = THANKS | {"version": 3, "channel": "push", "wait": {"for": "1h"}, "running_customers": "finish"}


class Commands:
    """`touchstream flows` on a prefix."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._folder = folder
        self._environment = place.variables

    def __call__(self, *arguments: str) -> str:
        done = command("flows", *arguments, **self._environment)
        assert done.exit_code == 0, done.output
        return done.output

    def publish(self, flow: dict[str, Any], *options: str) -> None:
        file = self._folder / f"v{flow['version']}.yaml"
        file.write_text(yaml.safe_dump(flow), "utf-8")
        self("publish", str(file), *options)


def in_between(mapped: Iterable[Mapped], changes: Mapping[int, Callable[[], object]]) -> Iterator[Mapped]:
    """The touchpoints, and each change once the first of its day has been sent, and all before it is folded."""
    waiting, has_begun = sorted(changes), False
    for each in mapped:
        if waiting and isinstance(each, MappedTouchpoint) and each.touchpoint.time_ms >= waiting[0]:
            if has_begun:
                changes[waiting.pop(0)]()
            has_begun = not has_begun
        yield each
    assert not waiting


class Ran(NamedTuple):
    place: Place
    decisions: list[Decision]
    triggers: list[Trigger]

    def decided(self, since_ms: int, until_ms: int) -> list[Decision]:
        """But for the first day, in which the change came."""
        return [item for item in self.decisions if since_ms + DAY_MS <= item.time_ms < until_ms]


@pytest.fixture(scope="module")
def ran(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The first weeks of the online-retail data, with the commands in the middle."""
    whole = real_file("online_retail/2010-12_2011-06.csv.gz")
    folder: Path = tmp_path_factory.mktemp("publishing")
    weeks = open_source(first_weeks(whole, folder / "weeks.csv"), load_mapping("online_retail"))
    place = make_place(kafka, folder.name, folder, reporting_time_zone=ZONE, reporting_currency=CURRENCY)
    run = Commands(place, folder)

    def on_with_a_share() -> None:
        run("resume", "thanks")
        run.publish(SECOND, "--percent", f"{SHARE:g}")

    def replaced_with_a_shadow() -> None:
        run.publish(SECOND)
        run.publish(THIRD, "--percent", "0")

    changes = {
        PUBLISHED: lambda: run.publish(THANKS),
        PAUSED: lambda: run("pause", "thanks"),
        RESUMED: on_with_a_share,
        REPLACED: replaced_with_a_shadow,
    }
    with a_worker(place):
        play(place, Source(weeks.name, in_between(weeks.mapped, changes)))
    return Ran(place, place.records("decisions", Decision), place.records("triggers", Trigger))


def test_the_journal_folded_again_gives_every_byte_of_the_live_run(ran: Ran) -> None:
    prefix = open_prefix(ran.place.settings)
    found = verify_prefix(prefix)
    assert found.differences == ()
    assert found.holds
    assert found.records["decisions"] == len(ran.decisions) > 1_000
    assert found.records["triggers"] == len(ran.triggers) > 500
    assert hashes_of(prefix) == found.folded


def test_every_partition_was_told_each_change(ran: Ran) -> None:
    told: Counter[int] = Counter()
    for message in ran.place.messages("journal"):
        told[message.partition() or 0] += isinstance(SINGLE_OBJECT.decode(message.value() or b""), Configured)
    assert set(told.values()) == {7}, "made, published, paused, resumed, a share, for all, a shadow"


def test_a_paused_flow_sends_nothing_and_says_of_each_message_why(ran: Ran) -> None:
    assert [item for item in ran.triggers if PAUSED + DAY_MS <= item.decided_ms < RESUMED] == []
    outcomes = Counter(item.outcome for item in ran.decided(PAUSED, RESUMED))
    assert outcomes["entered"] > 100, "customers enter all the same"
    assert outcomes["deferred"] > 100
    assert outcomes["paused"] > 50, "messages whose time passed"
    assert outcomes["sent"] == 0


def test_what_waited_and_has_not_expired_goes_out_after_the_pause(ran: Ran) -> None:
    held = {item.candidate_id: item.time_ms for item in ran.decisions if item.outcome == "deferred"}
    sent = [item for item in ran.decisions if item.outcome == "sent" and item.candidate_id in held]
    assert len(sent) > 20
    for item in sent:
        assert RESUMED <= item.time_ms <= held[item.candidate_id] + 3 * DAY_MS
        assert item.time_ms < RESUMED + 2 * DAY_MS
    assert all(item.expires_ms >= item.decided_ms for item in ran.triggers)


def test_a_share_of_the_customers_gets_the_new_version_and_the_others_keep_theirs(ran: Ran) -> None:
    second = parse_flow(SECOND, "v2")
    begun = [item for item in ran.decided(RESUMED, REPLACED) if item.outcome == "entered" and item.step == "thanks"]
    for item in begun:
        assert item.flow_version == 1 + is_of_canary(second, SHARE, item.customer)
    assert min(Counter(item.flow_version for item in begun).values()) > 3, "few order in the week before Christmas"


def test_a_customer_in_the_older_version_finishes_it(ran: Ran) -> None:
    late = [item for item in ran.triggers if item.decided_ms >= REPLACED + 2 * DAY_MS]
    assert {(item.flow_version, item.step, item.channel) for item in late} == {
        (1, "idea", "email"),
        (2, "thanks", "sms"),
        (2, "idea", "sms"),
    }


def test_the_shadow_decides_for_everybody_and_sends_nothing(ran: Ran) -> None:
    shadow = [item for item in ran.decisions if item.flow_version == 3]
    assert {item.arm for item in shadow} == {SHADOW}
    outcomes = Counter(item.outcome for item in shadow)
    assert set(outcomes) == {"entered", "shadow"}
    assert outcomes["shadow"] > 50
    assert {item.flow_version for item in ran.triggers} == {1, 2}


def test_each_candidate_has_one_final_record_at_most_and_none_after_it(ran: Ran) -> None:
    ended: set[str] = set()
    for item in ran.decisions:
        assert item.candidate_id not in ended
        if item.final:
            ended.add(item.candidate_id)


def test_a_pause_stops_sends_within_two_seconds_and_resume_goes_on_where_it_was(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    flow = THANKS | {"entry": {"event": "product_added"}, "wait": {"for": "0s"}, "steps": THANKS["steps"][:1]}
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=[flow])
    run = Commands(place, tmp_path)
    sent: list[str] = []
    is_over = threading.Event()
    with a_worker(place):
        # a test that fails leaves it behind, which must not keep the others' process alive
        steadily = threading.Thread(target=_add_steadily, args=(place, sent, is_over), daemon=True)
        steadily.start()
        # until time has come in each partition messages are held, and those a pause takes back
        until(lambda: len(sent) > FIRST and _reached(place) >= {*sent[:FIRST]}, "every partition sends", 30)
        run("pause", "thanks")
        paused_ms = _now_ms()
        time.sleep(5)
        resuming_ms = _now_ms()
        held = {item.candidate_id for item in place.records("decisions", Decision) if item.outcome == "deferred"}
        assert held
        assert _written(place, paused_ms + 2_000, resuming_ms) == 0
        run("resume", "thanks")
        until(lambda: _written(place, resuming_ms, _now_ms()) > len(held), "what waited goes out, and what is new", 30)
        is_over.set()
        steadily.join()
        until(lambda: len(place.records("triggers", Trigger)) == len(sent), "nobody is left out", 30)
    assert {trigger.customer for trigger in place.records("triggers", Trigger)} == set(sent)
    assert held <= {item.candidate_id for item in place.records("decisions", Decision) if item.outcome == "sent"}


def test_a_pause_of_all_flows_takes_back_within_two_seconds_what_idle_customers_are_to_get(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    """Their messages are out, and due at an hour that is still to come."""
    flow = THANKS | {
        "entry": {"event": "product_added"},
        "wait": {"for": "0s"},
        "send_time": "best",
        "steps": THANKS["steps"][:1],
    }
    send_hour = (time.gmtime().tm_hour + 5) % 24
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=[flow], send_hour=send_hour)
    run = Commands(place, tmp_path)
    with a_worker(place):
        begun_ms = _now_ms()
        send(place, [an_add(begun_ms, user=str(number)) for number in range(1, 1 + IDLE)])
        until(lambda: len(_reached(place)) == IDLE, "every message is out", 60)
        assert min(trigger.due_ms for trigger in place.records("triggers", Trigger)) > begun_ms + HOUR_MS
        run("pause", "--all")
        paused_ms = _now_ms()
        until(lambda: len(place.records("triggers", Revocation)) == IDLE, "every message is taken back", 30)
    taken_back = [
        message.timestamp()[1]
        for message in place.messages("triggers")
        if isinstance(SINGLE_OBJECT.decode(message.value() or b""), Revocation)
    ]
    assert max(taken_back) - paused_ms < 2_000
    assert verify_prefix(open_prefix(place.settings)).differences == ()


def _add_steadily(place: Place, sent: list[str], is_over: threading.Event) -> None:
    """Another customer fills a cart every twentieth of a second."""
    with a_producer(place.settings.brokers) as producer:
        while not is_over.wait(0.05):
            number = 1 + len(sent)
            add = an_add(_now_ms(), user=str(number))
            producer.produce(place.topics.touchpoints, encode(add), key_of(add))
            producer.poll(0)
            sent.append(f"u:{number}")


def _reached(place: Place) -> set[str]:
    return {trigger.customer for trigger in place.records("triggers", Trigger)}


def _written(place: Place, since_ms: int, until_ms: int) -> int:
    """Triggers that the broker has taken in a time of the wall."""
    return sum(since_ms <= message.timestamp()[1] < until_ms for message in place.messages("triggers"))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
