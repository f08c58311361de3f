"""What the topics hold against what the journal makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from schemas import wire
from schemas.insights import Facts
from schemas.outputs import DeadLetter, Decision, ProfileMerged, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.flows.language.files import library_documents
from streams.fold.record import journal_headers
from streams.offline.refold import COMPARED
from streams.offline.verify import DIFFERENCES_MAX, Verification, fold_hashes, verify
from tests.support.kept import Kept, KeptTopics, KeptWorld
from tests.support.spoilt import changed, lost, swapped, twice
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_refund, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Callable

TOPICS = (*COMPARED, "facts")
CUTS = {
    "recency_ms": [DAY_MS, 2 * DAY_MS, 5 * DAY_MS, 9 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [1_000, 2_000, 4_000, 8_000],
}


@pytest.fixture
def topics() -> dict[str, list[Kept]]:
    """Some days of a shop: orders, a refund, a cart left behind, a device that turns out to be a user's, time."""
    world = KeptWorld(cuts_fixed=CUTS, flows=library_documents())
    world.send(
        a_touchpoint("page_viewed", START_MS, None, anonymous_id="phone", channel="email"),
        an_order(START_MS + HOUR_MS, user="1", order_id="first"),
        an_order(START_MS + 2 * HOUR_MS, user="2", order_id="second", channel="ads"),
    )
    world.send(a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS, "1", anonymous_id="phone"))
    for hours in range(4, 40, 3):
        world.send(an_add(START_MS + hours * HOUR_MS, user=str(hours)))
        world.pass_time(START_MS + (hours + 2) * HOUR_MS)
    world.send(a_refund(START_MS + 40 * HOUR_MS, "second", 1_200, user="2"))
    world.pass_time(START_MS + 12 * DAY_MS)
    return world.topics()


def verified(topics: dict[str, list[Kept]]) -> Verification:
    return verify(KeptTopics(topics), 1, SINGLE_OBJECT)


def test_the_story_reaches_every_topic(topics: dict[str, list[Kept]]) -> None:
    assert {name: len(topics[name]) > 1 for name in TOPICS} == dict.fromkeys(TOPICS, True)
    assert any(each.value() is None for each in topics["profiles"])


def test_topics_that_hold_what_the_journal_makes_differ_nowhere(topics: dict[str, list[Kept]]) -> None:
    found = verified(topics)
    assert found.differences == ()
    assert found.holds
    assert found.journal == len(topics["journal"])
    assert found.folded == found.held
    assert found.records["triggers"] == len(topics["triggers"])
    assert set(found.folded) == set(TOPICS)


def reworded(each: Kept, **fields: str) -> Kept:
    """The record as a release with other words for its reasons wrote it; `fields` it had otherwise."""
    record = wire.decode(each.value() or b"")
    assert isinstance(record, Decision | Trigger)
    return Kept(each.key(), wire.encode(msgspec.structs.replace(record, reason="It seemed right.", **fields)))


def test_a_reason_that_another_release_worded_otherwise_is_no_difference(topics: dict[str, list[Kept]]) -> None:
    decisions, triggers = (list(map(reworded, topics[name])) for name in ("decisions", "triggers"))
    found = verified({**topics, "decisions": decisions, "triggers": triggers})
    assert found.holds
    assert found.reworded == {"decisions": len(decisions), "triggers": len(triggers)}


def test_a_record_that_differs_in_more_than_its_reason_is_one(topics: dict[str, list[Kept]]) -> None:
    first, *others = topics["decisions"]
    found = verified({**topics, "decisions": [reworded(first, outcome="expired"), *others]})
    assert found.different["decisions"] == 1
    assert found.reworded == {}


def test_a_journal_folded_twice_into_empty_state_gives_the_same_hashes(topics: dict[str, list[Kept]]) -> None:
    first = fold_hashes(KeptTopics(topics), 1, SINGLE_OBJECT)
    assert first == fold_hashes(KeptTopics(topics), 1, SINGLE_OBJECT)
    assert first == verified(topics).folded


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("spoil", [lost, changed])
def test_what_is_lost_or_changed_is_found(
    topics: dict[str, list[Kept]], topic: str, spoil: Callable[[list[Kept]], list[Kept]]
) -> None:
    found = verified({**topics, topic: spoil(topics[topic])})
    assert not found.holds
    assert {name for name, count in found.different.items() if count} == {topic}
    assert found.folded[topic] != found.held[topic]


@pytest.mark.parametrize("topic", ["triggers", "decisions", "credits", "segments", "facts"])
def test_what_is_there_twice_is_found(topics: dict[str, list[Kept]], topic: str) -> None:
    found = verified({**topics, topic: twice(topics[topic])})
    assert {name for name, count in found.different.items() if count} == {topic}
    assert all(each.folded != each.held for each in found.differences)


@pytest.mark.parametrize("topic", ["decisions", "credits", "segments", "profiles"])
def test_values_of_a_key_out_of_order_are_found(topics: dict[str, list[Kept]], topic: str) -> None:
    found = verified({**topics, topic: swapped(topics[topic])})
    assert {name for name, count in found.different.items() if count} == {topic}


def test_the_order_between_customers_does_not_count(topics: dict[str, list[Kept]]) -> None:
    by_customer = sorted(topics["decisions"], key=lambda each: each.key() or b"")
    assert verified({**topics, "decisions": by_customer}).holds


def test_what_compaction_takes_out_of_profiles_makes_no_difference(topics: dict[str, list[Kept]]) -> None:
    last = {each.key(): each for each in topics["profiles"]}
    compacted = [each for each in last.values() if each.value() is not None]
    assert len(compacted) < len(topics["profiles"])
    assert verified({**topics, "profiles": compacted}).holds


def test_a_difference_shows_both_values_as_text(topics: dict[str, list[Kept]]) -> None:
    found = verified({**topics, "triggers": changed(topics["triggers"])})
    (difference,) = found.differences
    assert difference.folded is not None
    assert difference.held is not None
    assert '"trigger_id"' in difference.folded
    assert difference.held != difference.folded


def test_facts_of_a_partition_that_the_journal_has_not_are_found(topics: dict[str, list[Kept]]) -> None:
    stray = wire.encode(Facts(7, None, (wire.decode(topics["facts"][1].value() or b"").counts[0],)))
    found = verified({**topics, "facts": [*topics["facts"], Kept(b"7", stray)]})
    assert [(each.topic, each.partition) for each in found.differences] == [("facts", 7)]


def test_further_differences_are_counted_only(topics: dict[str, list[Kept]]) -> None:
    strays = [Kept(b"u:%d" % number, topics["credits"][0].value()) for number in range(DIFFERENCES_MAX + 5)]
    found = verified({**topics, "credits": [*topics["credits"], *strays]})
    assert found.different["credits"] == DIFFERENCES_MAX + 5
    assert len(found.differences) == DIFFERENCES_MAX


def test_a_touchpoint_of_no_known_schema_counts_as_the_worker_counts_it(topics: dict[str, list[Kept]]) -> None:
    rubbish = Kept(b"u:1", b"rubbish", journal_headers(START_MS))
    found = verified({**topics, "journal": [*topics["journal"], rubbish]})
    (difference,) = found.differences
    assert (difference.key, difference.folded, difference.held) == ("fold_dead_letters 0", "1", "0")


@pytest.mark.interpreted
def test_what_became_a_dead_letter_is_not_folded_by_code_that_was_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    world = KeptWorld()
    world.send(an_order(START_MS, user="1"))
    monkeypatch.setattr("streams.fold.fold.fold_touchpoint", None)
    with pytest.raises(AssertionError, match="TypeError"):
        world.send(an_order(START_MS, user="2"))
    monkeypatch.undo()
    world.counts["fold_dead_letters", 0, ""] += 1
    last = world.journal[-1]
    letter = DeadLetter("raised", "", "fold", "shop.journal", 0, last.offset(), last.key(), last.value())
    topics = {**world.topics(), "dead_letters": [Kept(last.key(), wire.encode(letter))]}
    assert verified(topics).holds
    assert not verified({**topics, "dead_letters": []}).holds


def test_logouts_and_merged_users_are_made_again_as_they_were() -> None:
    world = KeptWorld(cuts_fixed=CUTS, flows=library_documents())
    for number, user in enumerate(("3", "2", "1")):
        at_ms = START_MS + number * HOUR_MS
        world.send(a_touchpoint("page_viewed", at_ms, user, anonymous_id="tablet"))
        world.send(an_add(at_ms + 1, user=None, anonymous_id="tablet"), an_order(at_ms + 2, user=user))
        world.send(a_touchpoint("identity_unlinked", at_ms + 3, user, anonymous_id="tablet"))
        world.send(an_add(at_ms + 4, user=None, anonymous_id="tablet"))
        world.pass_time(at_ms + 5)
    for user, previous in (("2", "3"), ("2", "1")):
        world.send(a_touchpoint("identity_linked", START_MS + DAY_MS, user, properties={"previous_id": previous}))
    world.pass_time(START_MS + 12 * DAY_MS)
    topics = world.topics()
    merged = [
        each
        for each in topics["profiles"]
        if each.value() and isinstance(wire.decode(each.value() or b""), ProfileMerged)
    ]
    assert [each.key() for each in merged] == [b"u:3", b"u:2", b"u:3"]
    found = verified(topics)
    assert found.differences == ()
    assert found.holds
