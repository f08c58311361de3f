"""What a person asks of who is who is refused where it cannot be, with what to do instead."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from schemas.outputs import ProfileMerged, ProfileView
from schemas.wire import SINGLE_OBJECT
from streams.operations import identity
from streams.operations.identity import CannotChange, check_undoable, identity_of, link, unlink
from tests.support.world import DAY_MS, START_MS, World

if TYPE_CHECKING:
    import msgspec

UNTIL_MS = START_MS + 30 * DAY_MS


def a_view(user: str, *devices: str) -> ProfileView:
    return ProfileView(f"u:{user}", "new", 0, 0, 0, "", 0, 1, 1, "", -1, "", user_id=user, devices=devices)


class Message:
    def __init__(self, key: str, record: msgspec.Struct | None) -> None:
        self._key, self._record = key, record

    def key(self) -> bytes:
        return self._key.encode()

    def value(self) -> bytes | None:
        return None if self._record is None else SINGLE_OBJECT.encode(self._record)


def a_prefix(*records: tuple[str, msgspec.Struct | None], rules: int = 4, clock: str = "wall") -> Any:
    messages = [Message(key, record) for key, record in records]
    return SimpleNamespace(
        settings=SimpleNamespace(prefix="shop"),
        domain=World(clock=clock).settings,
        wire=SINGLE_OBJECT,
        rules=rules,
        read=lambda _topic, _partition: iter(messages),
    )


MERGED = ProfileMerged("u:2", "u:1", "event", START_MS, UNTIL_MS)
PREFIX = a_prefix(
    ("a:phone", None), ("u:2", a_view("2", "a:phone")), ("u:1", a_view("1")), ("u:3", a_view("3")), ("u:2", MERGED)
)


def test_the_last_record_of_each_key_says_who_they_are() -> None:
    one, two = identity_of(PREFIX, "u:1"), identity_of(PREFIX, "u:2")
    assert (one.user_id, one.merged, one.merged_into) == ("1", (MERGED,), None)
    assert (two.is_known, two.merged_into, two.devices) == (True, MERGED, ())
    assert identity_of(PREFIX, "a:phone").users == ()
    assert not identity_of(PREFIX, "u:9").is_known


def test_a_merge_that_is_over_is_not_shown() -> None:
    prefix = a_prefix(("u:2", MERGED), ("u:2", a_view("2", "a:phone")))
    assert identity_of(prefix, "u:1").merged == ()
    assert identity_of(prefix, "a:phone").users == ("u:2",)


def test_links_name_two_users_who_are_known_and_on_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, Any]] = []
    monkeypatch.setattr(identity, "_write", lambda _, key, *records: written.extend((key, each) for each in records))
    for other, why in (
        ("u:2", "merged into u:1 already"),
        ("u:9", "no such user"),
        ("a:phone", "only users"),
        ("u:3", "one"),
    ):
        with pytest.raises(CannotChange, match=why):
            link(PREFIX, "u:3", other, "why", "ann")
    assert link(PREFIX, "u:3", "u:1", "why, says jo@example.org", "ann") == "u:1"
    ((key, record),) = written
    assert (key, record.target) == ("u:3", "u:1")
    assert record.cause.startswith("ann: why")
    assert "jo@" not in record.cause


def test_only_a_device_of_a_user_is_unlinked(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, Any]] = []
    monkeypatch.setattr(identity, "_write", lambda _, key, *records: written.extend((key, each) for each in records))
    with pytest.raises(CannotChange, match="identity undo"):
        unlink(PREFIX, "u:1", "why", "ann")
    with pytest.raises(CannotChange, match="belongs to no user"):
        unlink(PREFIX, "a:phone", "why", "ann")
    prefix = a_prefix(("u:1", a_view("1", "a:phone")))
    assert unlink(prefix, "a:phone", "why", "ann", now_ms=lambda: START_MS / 1_000) == ("u:1",)
    ((key, record),) = written
    assert (key, record.target, record.time_ms) == ("a:phone", "u:1", START_MS)


def test_only_a_merge_of_the_last_30_days_is_undone() -> None:
    assert check_undoable(PREFIX, "u:2", lambda: UNTIL_MS / 1_000 - 1) == MERGED
    with pytest.raises(CannotChange, match="too long ago"):
        check_undoable(PREFIX, "u:2", lambda: UNTIL_MS / 1_000)
    with pytest.raises(CannotChange, match="is not merged into another user"):
        check_undoable(PREFIX, "u:1")
    with pytest.raises(CannotChange, match="identity unlink"):
        check_undoable(PREFIX, "a:phone")
    # the time of a replay is no machine's
    replayed = a_prefix(("u:2", MERGED), clock="marks")
    assert check_undoable(replayed, "u:2", lambda: UNTIL_MS / 1_000) == MERGED


@pytest.mark.parametrize("command", [link, unlink])
def test_rules_of_an_earlier_release_are_raised_first(command: Any) -> None:
    with pytest.raises(CannotChange, match="touchstream topics create"):
        command(a_prefix(rules=3), *["u:1"] * (2 if command is link else 1), "why", "ann")
    with pytest.raises(CannotChange, match="touchstream topics create"):
        check_undoable(a_prefix(rules=3), "u:2")
