"""Settings raise the number of the rules by which records are folded, and nothing lowers it."""

from __future__ import annotations

import pytest

from schemas import wire
from schemas.catalogue import released_schemas, single_object_header
from schemas.journal import RULES, Configured
from schemas.zones import TZDATA
from state.codec import NewerState, open_frame
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.fold.attempt import as_it_is, attempt, nothing_to_undo
from streams.fold.fold import Fold
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState, with_settings
from streams.fold.record import Record
from streams.insights.fold import configured
from streams.insights.state import SETTINGS, InsightCodec, Settings
from streams.settings import DomainSettings

TEXT = DomainSettings().model_dump_json()


def a_fold() -> Fold:
    return Fold(Overlay(MemoryStore(), JournalCodec()))


def published(rules: int) -> Record:
    return Record("", Configured(TEXT, 0, rules), b"", 0, 0)


def test_settings_that_name_no_rules_are_of_the_first() -> None:
    of_release_0_1 = single_object_header(released_schemas("configured")[0])
    text = TEXT.encode()
    size = len(text) << 1
    value = of_release_0_1 + bytes((size & 127 | 128, size >> 7 & 127 | 128, size >> 14)) + text + b"\x00"
    assert wire.decode(value) == Configured(TEXT, 0, 1)


def test_the_rules_rise_with_settings_and_never_fall() -> None:
    fold = a_fold()
    numbers = []
    for rules in (1, RULES, 1):
        fold(published(rules))
        numbers.append(fold.known().rules)
    assert numbers == [1, RULES, RULES]


def test_rules_of_a_later_release_stop_the_fold() -> None:
    with pytest.raises(NewerState, match=f"rules {RULES + 1}.*up to {RULES}"):
        attempt(a_fold(), as_it_is, published(RULES + 1), nothing_to_undo)


@pytest.mark.parametrize("tzdata", ["", "2025.1", TZDATA, "nonsense"])
def test_time_zones_that_are_no_later_ones_let_the_fold_go_on(tzdata: str) -> None:
    """A journal of before is folded again with the zones of today."""
    a_fold()(Record("", Configured(TEXT, 0, RULES, tzdata), b"", 0, 0))


def test_later_time_zones_stop_the_fold_and_say_what_to_install() -> None:
    later = Record("", Configured(TEXT, 0, RULES, "2999.1"), b"", 0, 0)
    with pytest.raises(NewerState, match=r"install tzdata==2999\.1"):
        attempt(a_fold(), as_it_is, later, nothing_to_undo)


def test_state_under_the_first_rules_is_what_release_0_1_reads() -> None:
    state = with_settings(PartitionState(), Configured(TEXT, 0, 1))
    framed = JournalCodec().encode(PARTITION_KEY, state)
    assert open_frame(framed)[0] == 2
    assert JournalCodec().decode(PARTITION_KEY, framed) == state


def test_state_keeps_the_number_of_the_rules() -> None:
    state = with_settings(PartitionState(), Configured(TEXT, 0, RULES))
    framed = JournalCodec().encode(PARTITION_KEY, state)
    assert JournalCodec().decode(PARTITION_KEY, framed) == state
    assert state.rules == RULES


def test_insights_keep_the_number_of_the_rules_and_never_lower_it() -> None:
    codec = InsightCodec()
    state = Overlay(MemoryStore(), codec)
    for rules, number, version in ((1, 1, 3), (RULES, RULES, 4), (1, RULES, 4)):
        configured(state, Configured(TEXT, 0, rules))
        kept = state.get(SETTINGS)
        assert kept == Settings(TEXT, number)
        framed = codec.encode(SETTINGS, kept)
        assert codec.decode(SETTINGS, framed) == kept
        assert open_frame(framed)[0] == version


def test_insights_stop_at_rules_of_a_later_release() -> None:
    with pytest.raises(NewerState):
        configured(Overlay(MemoryStore(), InsightCodec()), Configured(TEXT, 0, RULES + 1))
