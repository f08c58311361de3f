"""The fold gives the bytes that an earlier commit gave, but for the human text of reasons.

To change bytes on purpose, renew the hashes and say why: see tests/support/same_bytes.py.
"""

from __future__ import annotations

import msgspec
import pytest

from schemas.outputs import Credit, DeadLetter, Decision, Revocation, Trigger
from schemas.wire import encode
from streams.profiles.codec import encode_profile
from streams.profiles.profile import PendingMessage, Profile, Run
from tests.support.files import real_file
from tests.support.same_bytes import JOURNALS, MIXES, expected, masked, masked_profile, of_mix

pytestmark = pytest.mark.acceptance

DECISION = Decision(
    "candidate", "u:7", "welcome", 1, "hello", "arm", "sent", final=True, reason="Hello.", cause="event", time_ms=5
)
REVOCATION = Revocation("trigger", "u:7", "welcome", "email", "Hello.", 5)
TRIGGER = Trigger("trigger", "u:7", "email", "welcome", 1, "treatment", "hello", 5, 6, 7, "Hello.")
LETTER = DeadLetter("malformed", "Hello.", "fold", "journal", 0, 1)


@pytest.mark.parametrize("mix", MIXES)
def test_a_mix_with_ten_flows_gives_the_same_bytes(mix: str) -> None:
    if mix == "clickstream":
        real_file("rees46/2019-10-01_first_hours.csv.gz")
    assert of_mix(mix) == expected().mixes[mix]


@pytest.mark.parametrize("mix", MIXES)
def test_a_mix_reaches_every_topic(mix: str) -> None:
    topics = expected().mixes[mix]
    assert set(topics) == {"changelog", "credits", "decisions", "facts", "profiles", "segments", "triggers"}
    assert all(hashed.records > 100 for hashed in topics.values())


@pytest.mark.parametrize("journal", JOURNALS)
def test_the_journal_of_earlier_rules_reaches_every_topic(journal: str) -> None:
    topics = expected().journals[journal]
    assert set(topics) == {"credits", "decisions", "facts", "profiles", "segments", "state", "triggers"}
    assert all(hashed.records > 100 for hashed in topics.values())


@pytest.mark.parametrize("record", [DECISION, REVOCATION, TRIGGER], ids=["decision", "revocation", "trigger"])
def test_the_text_of_a_reason_is_masked_and_nothing_else(record: Decision | Revocation | Trigger) -> None:
    value = encode(record)
    assert masked(encode(msgspec.structs.replace(record, reason="Good day."))) == masked(value)
    for name in record.__struct_fields__:
        before = getattr(record, name)
        if name == "reason" or not isinstance(before, (str, int)):
            continue
        after = not before if isinstance(before, bool) else f"{before}x" if isinstance(before, str) else before + 1
        assert masked(encode(msgspec.structs.replace(record, **{name: after}))) != masked(value), name


def test_the_reason_of_a_dead_letter_is_a_label_and_not_masked() -> None:
    assert masked(encode(msgspec.structs.replace(LETTER, reason="raised"))) != masked(encode(LETTER))
    assert masked(encode(LETTER)) == encode(LETTER)


def test_records_without_a_reason_stay_as_they_are() -> None:
    credit = encode(Credit("credit", "u:7", "order", "linear", 1, "click", "email", 5, "EUR", 6, 7, 1, "event"))
    assert masked(credit) == credit
    assert masked(None) is None


def test_the_reasons_of_messages_in_a_profile_are_masked_and_nothing_else() -> None:
    def stored(trigger: Trigger, clock_ms: int = 0) -> bytes:
        message = PendingMessage(trigger, Run("welcome", 1, "candidate", "event", 5, 6, "hello"), is_held=True)
        return masked_profile(encode_profile(Profile(clock_ms, pending=(message,))))

    before = stored(TRIGGER)
    assert stored(msgspec.structs.replace(TRIGGER, reason="Good day.")) == before
    assert stored(msgspec.structs.replace(TRIGGER, due_ms=8)) != before
    assert stored(TRIGGER, clock_ms=1) != before


def test_a_record_that_is_not_written_as_it_was_before_is_found_out() -> None:
    value = encode(msgspec.structs.replace(DECISION, evidence={"a": "b"}))
    pair = b"\x02a\x02b"
    # Avro also allows a block with its size in bytes, which we never write
    other = value.replace(b"\x02" + pair, b"\x01" + bytes([2 * len(pair)]) + pair)
    assert other != value
    with pytest.raises(AssertionError):
        masked(other)
