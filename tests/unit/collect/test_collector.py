"""What goes into the journal fits there, and what does not belong in touchpoints is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.catalogue import RECORDS
from schemas.journal import Wake
from schemas.limits import PROPERTIES_BYTES_MAX, PROPERTIES_MAX, VALUE_BYTES_MAX
from schemas.outputs import DeadLetter
from schemas.touchpoint import PREVIOUS_ID, Consent, Order
from schemas.wire import SINGLE_OBJECT, Wire, decode, encode
from streams.collect.addresses import address_hash
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.settings import DomainSettings
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Mark

SETTINGS = DomainSettings(clock="marks", touchpoint_partitions=1, journal_partitions=1)


def collected(value: bytes) -> Collected | Mark:
    return collect(value, START_MS, SINGLE_OBJECT, SETTINGS)


def test_canonical_bytes_go_on_as_they_came() -> None:
    event = a_touchpoint("page_viewed", START_MS)
    value = encode(event)
    assert collected(value) == Collected(b"u:1", value, START_MS, event)


def test_a_touchpoint_full_of_addresses_fits_the_journal_when_they_are_hashed() -> None:
    text = "a@b.c " * 60
    properties = {f"{number:02}": text for number in range(PROPERTIES_MAX)}
    found = collected(encode(a_touchpoint("page_viewed", START_MS, properties=properties)))
    assert isinstance(found, Collected)
    assert PROPERTIES_BYTES_MAX < len(found.value) <= VALUE_BYTES_MAX
    assert b"@" not in found.value


@pytest.mark.parametrize("is_framed", [True, False])
def test_an_address_in_any_framing_is_hashed(*, is_framed: bool) -> None:
    event = a_touchpoint("page_viewed", START_MS, user="ann@x.de", session_id="ann%40x.de")
    of_a_registry = Wire({name: number for number, name in enumerate(RECORDS)})
    value = (of_a_registry if is_framed else SINGLE_OBJECT).encode(event)
    found = collect(value, START_MS, of_a_registry, SETTINGS)
    assert isinstance(found, Collected)
    assert found.key == b"u:" + address_hash("ann@x.de").encode()
    assert of_a_registry.decode(found.value).session_id == address_hash("ann@x.de")


@pytest.mark.parametrize(
    "value",
    [encode(Wake(1)), encode(DeadLetter("r", "d", "s", "t", 0, 0)), SINGLE_OBJECT.header(Wake) + b"\xff" * 800_000],
    ids=["a wake", "a dead letter", "bytes under the frame of a wake"],
)
def test_a_record_of_another_type_is_refused_by_its_frame(value: bytes) -> None:
    with pytest.raises(RefusedRecord) as refused:
        collected(value)
    assert refused.value.reason == "unexpected_type"


def test_the_logout_of_a_source_goes_on_as_one_whatever_others_mean_by_it() -> None:
    settings = SETTINGS.model_copy(
        update={"logout_events": {"till": ("session_ended", "page_viewed"), "segment": ("Bye",)}}
    )
    for source, kind, expected in (
        ("till", "session_ended", "identity_unlinked"),
        ("till", "page_viewed", "identity_unlinked"),
        ("web", "page_viewed", "page_viewed"),
    ):
        value = encode(a_touchpoint(kind, START_MS, source=source, anonymous_id="tablet"))
        found = collect(value, START_MS, SINGLE_OBJECT, settings)
        assert isinstance(found, Collected)
        assert decode(found.value).type == expected
    call = b'{"type":"track","event":"bye","messageId":"m","timestamp":"2026-03-02T10:00:00Z","anonymousId":"tablet"}'
    found = collect(call, START_MS, SINGLE_OBJECT, settings)
    assert isinstance(found, Collected)
    assert (found.key, decode(found.value).type) == (b"a:tablet", "identity_unlinked")


@pytest.mark.parametrize(
    ("linking", "servers", "sources"),
    [
        (None, (), ()),
        (None, ("api",), ("api",)),
        (("crm", "web"), ("api",), ("crm", "web")),
        ((), ("api",), ()),
    ],
)
def test_only_sources_that_the_settings_name_may_say_that_two_ids_are_one_person(
    linking: tuple[str, ...] | None, servers: tuple[str, ...], sources: tuple[str, ...]
) -> None:
    """A browser that names the id of a customer would else take over their cart and their messages."""
    settings = SETTINGS.model_copy(update={"linking_sources": linking, "server_sources": servers})
    for source in ("web", "api", "crm"):
        link = a_touchpoint("identity_linked", START_MS, source=source, properties={PREVIOUS_ID: "victim"})
        if source in sources:
            assert isinstance(collect(encode(link), START_MS, SINGLE_OBJECT, settings), Collected)
            continue
        with pytest.raises(RefusedRecord, match=f"{source}.*linking_sources") as refused:
            collect(encode(link), START_MS, SINGLE_OBJECT, settings)
        assert refused.value.reason == "may_not_link"


@pytest.mark.parametrize(
    ("user", "device", "expected"),
    [
        ("undefined", "phone", b"a:phone"),
        ("{{user_id}}", " NULL ", b"o:7"),
        ("0", "", b"o:7"),
        ("7", "undefined", b"u:7"),
        ("undefined-7", None, b"u:undefined-7"),
    ],
)
def test_an_id_that_means_nobody_is_none(user: str, device: str | None, expected: bytes) -> None:
    """A front end that sends "undefined" for all guests would make one customer of them all."""
    order = a_touchpoint("order_completed", START_MS, user, anonymous_id=device, order=Order("7", "EUR", 1))
    found = collected(encode(order))
    assert isinstance(found, Collected)
    assert found.key == expected
    ids = decode(found.value)
    assert [ids.user_id, ids.anonymous_id] == [
        user if expected.startswith(b"u:") else None,
        device if expected.startswith(b"a:") else None if device != "" else "",
    ]


def test_a_touchpoint_of_nobody_at_all_is_refused() -> None:
    with pytest.raises(RefusedRecord) as refused:
        collected(encode(a_touchpoint("page_viewed", START_MS, "undefined", anonymous_id="null")))
    assert refused.value.reason == "no_customer"


@pytest.mark.parametrize("properties", [{}, {PREVIOUS_ID: "1"}])
def test_a_login_is_taken_from_any_source(properties: dict[str, str]) -> None:
    login = a_touchpoint("identity_linked", START_MS, "1", source="web", anonymous_id="d", properties=properties)
    assert isinstance(collected(encode(login)), Collected)


def test_an_alias_call_merges_two_users_only_where_the_settings_name_segment() -> None:
    call = b'{"type":"alias","messageId":"m","timestamp":"2026-03-02T10:00:00Z","userId":"!","previousId":"500"}'
    with pytest.raises(RefusedRecord, match="segment"):
        collected(call)
    settings = SETTINGS.model_copy(update={"linking_sources": ("segment",)})
    assert isinstance(collect(call, START_MS, SINGLE_OBJECT, settings), Collected)


@pytest.mark.parametrize(
    ("consent", "is_taken"),
    [
        (Consent("email", granted=True, purpose="service"), True),
        (Consent("email", granted=True, purpose="marketing"), False),
        (Consent("fax", granted=True), False),
        (Consent("email", granted=True, at_most=1), True),
        (Consent("email", granted=True, at_most=-1), False),
        (Consent("email", granted=True, at_most=1_000), False),
        (Consent("email", granted=True, only_flow="x" * 129), False),
    ],
)
def test_a_grant_that_nobody_would_heed_is_refused(consent: Consent, *, is_taken: bool) -> None:
    value = encode(a_touchpoint("consent_changed", START_MS, consent=consent))
    if is_taken:
        assert isinstance(collected(value), Collected)
        return
    with pytest.raises(RefusedRecord) as refused:
        collected(value)
    assert refused.value.reason in {"no_consent", "too_long"}
