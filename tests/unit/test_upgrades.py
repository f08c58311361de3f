"""Stored bytes of every version that ever wrote a profile are read; those of a later one are refused."""

from __future__ import annotations

import msgspec
import pytest

from schemas import wire
from schemas.journal import Absorbed
from schemas.outputs import Trigger
from state.codec import NewerState, frame, open_frame
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState
from streams.fold.partition_state import VERSION as PARTITION_VERSION
from streams.profiles.codec import VERSION, decode_profile, encode_profile
from streams.profiles.effects import hash_64
from streams.profiles.profile import (
    EMPTY,
    Adjustment,
    Cart,
    CartItem,
    CategoryView,
    ConsentState,
    Conversion,
    Entered,
    OrderMonth,
    Outstanding,
    PlacedOrder,
    Profile,
    Run,
    Score,
    Sent,
    Session,
    ShownPrice,
    Touch,
)
from tests.support.same_bytes import JOURNAL, expected, of_journal
from tests.support.world import HOUR_MS, START_MS, World, an_order

BY_VERSION_1 = bytes.fromhex(
    "010000019b84964800dc001acf0000019b77119680cf0000019b76daa8009192cd4fe6c41031b4b8490e3d95e4d38aebf6d6e418c8"
    "a137a2616291a3753a319194cf0000019b77119680cd106800cf3bce853e6f1098cf909099a8756e73636f726564000000a0cf0000"
    "019b7711968001cd1068cf000001aa2673ee80cf0000019b84964800aa66697273745f74696d65ffa0d3c74b0b91b3f34abac3c091"
    "96cf0000019b76daa800cf31b4b8490e3d95e4ab706169645f736561726368c0d39a275e3f454930d1c29196a26f31cf0000019b77"
    "119680cd1068a34555529196cf0000019b76daa800cf31b4b8490e3d95e4ab706169645f736561726368c0d39a275e3f454930d1c2"
    "00909193a5656d61696cc2cf0000019b76daa8009197a16601a163a1650102a4776169749000cf0000019b8496480091a4736c6f74"
)
"""A customer who ordered in the session s2, with a touch of s1, a withdrawal, a candidate and a parked timer."""

BY_VERSION_2 = bytes.fromhex(
    "020000019b76daa805dc0019cf0000019b76daa809cf0000019b76daa8009192cd4fe6c4083132333435363738a137d94061626162"
    "6162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261"
    "6261626162616291a7613a70686f6e659194cf0000019b76daa800cd1068ccc80d9193cf0000019b76daa80003cd03849193cf0000"
    "019b76daa800320e99a54c6f79616c040503a6637574732d31cf0000019b76daa80004cd1324cf0000019b76daa807cf0000019b76"
    "daa808a661637469766502aa636c7573746572732d319193cf0000019b76daa8000ccf0000019b76daa80193cf0000019b76daa800"
    "cf0000019b76daa8019193a36d7567cd0384029196cf0000019b76daa8000ba5656d61696ca6737072696e670cc29196a36f2d31cf"
    "0000019b76daa800cd1068a34555529196cf0000019b76daa8000ba5656d61696ca6737072696e670cc2019192cd4fe6029193a565"
    "6d61696cc3cf0000019b76daa8009197ae6162616e646f6e65645f6361727401a963616e646964617465a56576656e74cf0000019b"
    "76daa800cf0000019b76daa805a872656d696e6465729194cf0000019b76daa800a5656d61696cae6162616e646f6e65645f636172"
    "74c3cf0000019b76daa806cf0000019b76daa80591a4736c6f74"
)
"""As `a_full_profile`, without what came with version 3."""

BY_VERSION_3 = bytes.fromhex(
    "030000019b76daa805dc001fcf0000019b76daa809cf0000019b76daa8009192cd4fe6c4083132333435363738a137d94061626162"
    "6162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261"
    "6261626162616291a7613a70686f6e659194cf0000019b76daa800cd1068ccc80d9193cf0000019b76daa80003cd03849193cf0000"
    "019b76daa800320e99a54c6f79616c040503a6637574732d31cf0000019b76daa80004cd1324cf0000019b76daa807cf0000019b76"
    "daa808a661637469766502aa636c7573746572732d319193cf0000019b76daa8000ccf0000019b76daa80193cf0000019b76daa800"
    "cf0000019b76daa8019193a36d7567cd0384029196cf0000019b76daa8000ba5656d61696ca6737072696e670cc29196a36f2d31cf"
    "0000019b76daa800cd1068a34555529196cf0000019b76daa8000ba5656d61696ca6737072696e670cc2019192cd4fe6029193a565"
    "6d61696cc3cf0000019b76daa800919bae6162616e646f6e65645f6361727401a963616e646964617465a56576656e74cf0000019b"
    "76daa800cf0000019b76daa805a872656d696e646572cf0000019b76daa803cf0000019b76daa8049193a3637570cd02bc01cf0000"
    "019b76daa8029194cf0000019b76daa800a5656d61696cae6162616e646f6e65645f63617274c3cf0000019b76daa806cf0000019b"
    "76daa80591a4736c6f74ab4575726f70652f4f736c6f9192a777656c636f6d65cf0000019b76daa8009193a36d7567cd0384cf0000"
    "019b76daa80091938faa747269676765725f6964a774726967676572a8637573746f6d6572a3753a37a76368616e6e656ca5656d61"
    "696ca7666c6f775f6964a777656c636f6d65ac666c6f775f76657273696f6e01a361726da974726561746d656e74a473746570a568"
    "656c6c6faa646563696465645f6d73cf0000019b76daa800a66475655f6d73cf0000019b76daa800aa657870697265735f6d73cf00"
    "00019b76daa806a6726561736f6ea648656c6c6f2ea7757365725f6964c0aa656d61696c5f68617368c0a870726f647563747390a5"
    "6661637473809ba777656c636f6d6501ab63616e6469646174652d32a76576656e742d32cf0000019b76daa800cf0000019b76daa8"
    "00a568656c6c6f00009000c3dc00180000000000000000000000000000000000000000000000019192a5656d61696ccf0000019b76"
    "daa800"
)
"""As `a_full_profile`, without what came with version 4."""

BY_VERSION_4 = bytes.fromhex(
    "040000019b76daa805dc0021cf0000019b76daa809cf0000019b76daa8009192cd4fe6c4083132333435363738a137d94061626162"
    "6162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261"
    "6261626162616291a7613a70686f6e659194cf0000019b76daa800cd1068ccc80d9193cf0000019b76daa80003cd03849193cf0000"
    "019b76daa800320e99a54c6f79616c040503a6637574732d31cf0000019b76daa80004cd1324cf0000019b76daa807cf0000019b76"
    "daa808a661637469766502aa636c7573746572732d319193cf0000019b76daa8000ccf0000019b76daa80193cf0000019b76daa800"
    "cf0000019b76daa8019193a36d7567cd0384029196cf0000019b76daa8000ba5656d61696ca6737072696e670cc29196a36f2d31cf"
    "0000019b76daa800cd1068a34555529196cf0000019b76daa8000ba5656d61696ca6737072696e670cc2019192cd4fe6029193a565"
    "6d61696cc3cf0000019b76daa800919bae6162616e646f6e65645f6361727401a963616e646964617465a56576656e74cf0000019b"
    "76daa800cf0000019b76daa805a872656d696e646572cf0000019b76daa803cf0000019b76daa8049193a3637570cd02bc01cf0000"
    "019b76daa8029194cf0000019b76daa800a5656d61696cae6162616e646f6e65645f63617274c3cf0000019b76daa806cf0000019b"
    "76daa80591a4736c6f74ab4575726f70652f4f736c6f9192a777656c636f6d65cf0000019b76daa8009193a36d7567cd0384cf0000"
    "019b76daa80091938faa747269676765725f6964a774726967676572a8637573746f6d6572a3753a37a76368616e6e656ca5656d61"
    "696ca7666c6f775f6964a777656c636f6d65ac666c6f775f76657273696f6e01a361726da974726561746d656e74a473746570a568"
    "656c6c6faa646563696465645f6d73cf0000019b76daa800a66475655f6d73cf0000019b76daa800aa657870697265735f6d73cf00"
    "00019b76daa806a6726561736f6ea648656c6c6f2ea7757365725f6964c0aa656d61696c5f68617368c0a870726f647563747390a5"
    "6661637473809ba777656c636f6d6501ab63616e6469646174652d32a76576656e742d32cf0000019b76daa800cf0000019b76daa8"
    "00a568656c6c6f00009000c3dc00180000000000000000000000000000000000000000000000019192a5656d61696ccf0000019b76"
    "daa8009192ad7265706c656e6973686d656e74cf0000019b76daa8099193cf0000019b76daa8000fa472756773"
)
"""As `a_full_profile`."""

PARTITION_BY_VERSION_1 = bytes.fromhex(
    "010000000000000000979205ffc3a27b7d9193a463757473a6637574732d31c4027b7d9194a8636c757374657273aa636c75737465"
    "72732d3100c4015bce0007a12007"
)

PARTITION_BY_VERSION_2 = bytes.fromhex(
    "020000000000000000989205ffc3a27b7d9193a463757473a6637574732d31c4027b7d9194a8636c757374657273aa636c75737465"
    "72732d3100c4015bce0007a12007920604"
)

TOUCHPOINT_OF_0_1 = bytes.fromhex(
    "c3015a604c249265f16906652d31001e6f726465725f636f6d706c6574656480a0d5edee6602023700000000000002066f2d310645"
    "5552d0410000000000000000"
)


def a_full_profile() -> Profile:
    """No field is empty."""
    touch = Touch(START_MS, 11, "email", "spring", 12, is_view=False)
    return Profile(
        clock_ms=START_MS + 9,
        first_ms=START_MS,
        seen=((20_454, b"12345678"),),
        user_id="7",
        email_hash="ab" * 32,
        linked=("a:phone",),
        orders=(PlacedOrder(START_MS, 4_200, 200, 13),),
        months=(OrderMonth(START_MS, 3, 900),),
        adjustments=(Adjustment(START_MS, 50, 14),),
        score=Score("Loyal", 4, 5, 3, "cuts-1", START_MS, 4, 4_900, START_MS + 7),
        slot_ms=START_MS + 8,
        lifecycle="active",
        cluster=2,
        clusters_version="clusters-1",
        sessions=(Session(START_MS, 12, START_MS + 1),),
        cart=Cart(START_MS, START_MS + 1, (CartItem("mug", 900, 2),)),
        touches=(touch,),
        conversions=(Conversion("o-1", START_MS, 4_200, "EUR", (touch,), 1),),
        answers=((20_454, 2),),
        consents=(ConsentState("email", granted=True, time_ms=START_MS),),
        runs=(
            Run(
                "abandoned_cart",
                1,
                "candidate",
                "event",
                START_MS,
                START_MS + 5,
                "reminder",
                START_MS + 3,
                START_MS + 4,
                (CartItem("cup", 700, 1),),
                START_MS + 2,
            ),
        ),
        messages=(Sent(START_MS, "email", "abandoned_cart", is_promotional=True),),
        expires_ms=START_MS + 6,
        wake_ms=START_MS + 5,
        parked=("slot",),
        time_zone="Europe/Oslo",
        entries=(Entered("welcome", START_MS),),
        prices=(ShownPrice("mug", 900, START_MS),),
        hours=(0,) * 23 + (1,),
        answered=(("email", START_MS),),
        entry_timers=(("replenishment", START_MS + 9),),
        views=(CategoryView(START_MS, 15, "rugs"),),
        outstanding=(
            Outstanding(
                Trigger(
                    "trigger",
                    "u:7",
                    "email",
                    "welcome",
                    1,
                    "treatment",
                    "hello",
                    START_MS,
                    START_MS,
                    START_MS + 6,
                    "Hello.",
                ),
                Run("welcome", 1, "candidate-2", "event-2", START_MS, START_MS, "hello"),
                is_held=True,
            ),
        ),
    )


def test_a_profile_of_version_1_is_read_with_its_last_visit() -> None:
    profile = decode_profile(BY_VERSION_1)
    assert profile.sessions == (Session(profile.clock_ms, hash_64("s2"), profile.clock_ms),)
    assert [order.time_ms for order in profile.orders] == [START_MS + HOUR_MS]
    assert (profile.linked, profile.user_id, profile.parked) == (("u:1",), "7", ("slot",))
    assert [touch.session_hash for touch in profile.touches] == [hash_64("s1")]
    assert [conversion.order_id for conversion in profile.conversions] == ["o1"]
    assert (profile.cart, profile.runs[0].step, profile.consents[0].granted) == (None, "wait", False)
    assert profile.wake_ms == profile.slot_ms > 0
    stored = encode_profile(profile)
    assert stored[0] == VERSION
    assert decode_profile(stored) == profile


def test_a_profile_of_version_2_is_read() -> None:
    """It knew no time zone and no earlier entries, and of a candidate nothing since it entered."""
    full = a_full_profile()
    (run,) = full.runs
    known = msgspec.structs.replace(run, last_entry_ms=0, goal_ms=0, products=(), held_ms=0)
    expected = msgspec.structs.replace(
        full,
        runs=(known,),
        time_zone=None,
        entries=(),
        prices=(),
        hours=(),
        answered=(),
        outstanding=(),
        entry_timers=(),
        views=(),
    )
    assert decode_profile(BY_VERSION_2) == expected


def test_a_profile_of_version_3_is_read() -> None:
    """No flow was entered by a date or counted views."""
    assert decode_profile(BY_VERSION_3) == msgspec.structs.replace(a_full_profile(), entry_timers=(), views=())


def test_a_profile_of_version_4_is_read() -> None:
    assert decode_profile(BY_VERSION_4) == a_full_profile()


def test_whoever_changes_how_profiles_are_stored_raises_the_version() -> None:
    """If this fails: raise VERSION, upgrade from the bytes above, and add those of the new version to them."""
    full = a_full_profile()
    assert [name for name in full.__struct_fields__ if getattr(full, name) == getattr(EMPTY, name)] == []
    assert encode_profile(full).hex() == BY_VERSION_4.hex()


def a_full_partition() -> PartitionState:
    return PartitionState(
        progress=(5, -1),
        is_waking=True,
        settings="{}",
        models=(("cuts", "cuts-1", b"{}"),),
        chunks=(("clusters", "clusters-1", 0, b"["),),
        panel_share_ppm=500_000,
        tick_ms=7,
        collected=(6, 4),
    )


def test_the_state_of_a_partition_of_either_version_is_read() -> None:
    codec, full = JournalCodec(), a_full_partition()
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_1) == msgspec.structs.replace(full, collected=())
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_2) == full


def test_whoever_changes_how_a_partition_is_stored_raises_the_version() -> None:
    full, empty = a_full_partition(), PartitionState()
    assert [name for name in full.__struct_fields__ if getattr(full, name) == getattr(empty, name)] == []
    assert JournalCodec().encode(PARTITION_KEY, full).hex() == PARTITION_BY_VERSION_2.hex()


def test_a_profile_that_an_earlier_release_sent_to_a_user_is_taken_in() -> None:
    world = World()
    world.append("u:7", Absorbed(source="a:phone", profile=BY_VERSION_1, time_ms=START_MS))
    profile = world.profile("u:7")
    assert profile is not None
    assert [order.time_ms for order in profile.orders] == [START_MS + HOUR_MS]


@pytest.mark.parametrize("version", [VERSION + 1, 255])
def test_a_profile_of_a_later_release_is_refused_with_both_versions(version: int) -> None:
    _, due_ms, payload = open_frame(BY_VERSION_3)
    later = frame(version, due_ms, payload + b"\x00")
    with pytest.raises(NewerState, match=rf"a profile of version {version}, .* reads up to {VERSION}$"):
        decode_profile(later)
    world = World()
    with pytest.raises(NewerState):
        world.append("u:7", Absorbed(source="a:phone", profile=later, time_ms=START_MS))


def test_a_partition_of_a_later_release_is_refused() -> None:
    with pytest.raises(NewerState, match="the state of a journal partition of version"):
        JournalCodec().decode(PARTITION_KEY, frame(PARTITION_VERSION + 1, 0, b""))


def test_a_touchpoint_of_release_0_1_is_read() -> None:
    order = an_order(START_MS, user="7", order_id="o-1", event_id="e-1")
    assert wire.decode(TOUCHPOINT_OF_0_1) == order


def test_the_journal_of_an_earlier_release_makes_what_it_made_there() -> None:
    assert of_journal(JOURNAL) == expected().journal
