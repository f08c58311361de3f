"""The door for calls of Segment and RudderStack: their calls and what they name in properties and context.

By their specifications of track, page, screen, identify, alias and group, of e-commerce (version 2, and names of
version 1), e-mail and the life of an application. An event that has no canonical type is one of the shop's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.limits import AT_MOST_MAX, INT_MAX, TEXT_MAX
from schemas.touchpoint import (
    BOUNCE_TYPE,
    COMPLAINT,
    CURRENCY,
    CUSTOM,
    IDENTITY_LINKED,
    IDENTITY_UNLINKED,
    LINES_LEFT_OUT,
    PERSON,
    PREFETCH,
    PREVIOUS_ID,
    SCANNER,
    Consent,
    Message,
    Touchpoint,
)
from streams.collect.agents import agent_of
from streams.collect.amounts import currency_of, exact, kind_of, whole
from streams.collect.arrived import Arrived
from streams.collect.clocks import happened_ms
from streams.collect.door import BATCH_CONTEXT_BYTES_MAX
from streams.collect.event_names import SOFT_BOUNCE, SPAM, folded, type_of
from streams.collect.hiding import shown
from streams.collect.orders import lines_of, order_of
from streams.collect.pages import campaign_in, marketing_of, page_of
from streams.collect.reading import address_hash_of, identifier, part, text, word
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from streams.collect.door import DoorSettings
    from streams.collect.orders import Lines

SOURCE: Final = "segment"
CALLS: Final = ("track", "page", "screen", "identify", "alias", "group")
_OTHER_NAMES: Final = {
    "type": "action",
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "messageId": "message_id",
    "previousId": "previous_id",
    "groupId": "group_id",
    "originalTimestamp": "original_timestamp",
    "sentAt": "sent_at",
    "receivedAt": "received_at",
}
_AGENTS: Final = (PERSON, PREFETCH, SCANNER)
_PAGES: Final = frozenset({"page", "screen"})
_BOUNCE_TYPES: Final = ("bounce_type", "bounceType", "bounce_classification", "type")
"""Properties in which mail services say what kind of bounce it was."""
_OF_ORDERS: Final = frozenset({"order_completed", "order_refunded", "order_cancelled"})
_OF_OWN_WORDS: Final = frozenset({CUSTOM, "page_viewed", IDENTITY_LINKED})
"""Types whose properties are the shop's own words, so nothing in them is wrong."""


def arrived(call: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one call to the canonical touchpoint, and hand on its properties and traits.

    Raises:
        RefusedRecord: an unknown kind of call, or a field of the wrong kind; the detail has its name.
    """
    call = _with_usual_names(call)
    kind, name = _kind_of(call, settings)
    given, context = part(call, "properties"), part(call, "context")
    known = {**part(context, "traits", "context."), **part(call, "traits")}
    is_group = call.get("type") == "group"
    properties = _all_properties(call, given)
    try:
        event = _touchpoint(call, kind, name, properties, settings)
    except RefusedRecord:
        if kind not in _OF_OWN_WORDS:
            raise
        # there `quantity` may be a word, and `channel` a list; what is wrong beside the properties is refused again
        event = _touchpoint(call, kind, name, {}, settings)
    traits = part(context, "traits", "context.") if is_group else known
    locale = context.get("locale")
    if locale is not None and "locale" not in traits:
        traits = {**traits, "locale": locale}
    return [Arrived(event, properties, traits)]


def _with_usual_names(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call with its own fields in camel case, as the specification has them in most places."""
    more = {name: call[other] for name, other in _OTHER_NAMES.items() if other in call and call.get(name) is None}
    return {**call, **more} if more else call


def _kind_of(call: dict[str, Any], settings: DoorSettings) -> tuple[str, str | None]:
    """Return the canonical type of a call, and the shop's own name of the event where there is none."""
    kind = call.get("type")
    if not isinstance(kind, str):
        kind = kind_of(kind)
    if kind == "track":
        return _tracked(call, settings)
    if kind in _PAGES:
        return "page_viewed", None
    if kind in {"identify", "alias"}:
        return IDENTITY_LINKED, None
    if kind == "group":
        return CUSTOM, "Group"
    raise RefusedRecord("unknown_type", f"the call's type is {shown(kind)}: allowed are {', '.join(CALLS)} and batch")


def _tracked(call: dict[str, Any], settings: DoorSettings) -> tuple[str, str | None]:
    event = call.get("event")
    name = event.strip() if isinstance(event, str) else None
    if not name:
        raise RefusedRecord("unknown_type", f"event is {shown(event)}: a track call needs the name of its event")
    plain = folded(name)
    if plain in settings.logouts:
        return IDENTITY_UNLINKED, None
    kind = type_of(plain)
    return (CUSTOM, name) if kind is None else (kind, None)


def _all_properties(call: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a call with those that a page or a group has beside them."""
    if call.get("type") in _PAGES:
        beside = {name: call[name] for name in ("name", "category") if call.get(name) is not None}
        return {**beside, **given} if beside else given
    if call.get("type") == "group":
        return {**part(call, "traits"), **given, "group_id": call.get("groupId")}
    return given


def _touchpoint(
    call: dict[str, Any], kind: str, name: str | None, properties: dict[str, Any], settings: DoorSettings
) -> Touchpoint:
    context = part(call, "context")
    on_page, traits, path = part(context, "page", "context."), part(context, "traits", "context."), "properties."
    currency = currency_of(properties.get("currency"), settings.currency, f"{path}currency")
    lines = lines_of(properties, currency, path)
    foreign = currency if currency != settings.currency and lines.products and kind not in _OF_ORDERS else None
    is_page = call.get("type") in _PAGES
    url = on_page.get("url") or (properties.get("url") if is_page else None)
    referrer = on_page.get("referrer") or (properties.get("referrer") if is_page else None)
    marketing = marketing_of(context, properties, url)
    own = part(call, "traits") if call.get("type") != "group" else {}
    return Touchpoint(
        event_id=text(call.get("messageId"), "messageId") or "",
        source=settings.source,
        type=kind,
        time_ms=happened_ms(call, settings),
        user_id=identifier(call.get("userId"), "userId"),
        anonymous_id=identifier(call.get("anonymousId"), "anonymousId"),
        # what the event itself names goes before what is known of the caller
        email_hash=address_hash_of(properties.get("email"), own.get("email"), traits.get("email")),
        session_id=word(context.get("sessionId", properties.get("session_id")), "context.sessionId"),
        channel=_channel(kind, properties, context, url),
        marketing=marketing,
        message=_message(properties),
        order=order_of(kind, properties, currency, lines, path) if kind in _OF_ORDERS else None,
        consent=_consent(properties) if kind == "consent_changed" else None,
        products=lines.products,
        country=word(part(context, "location", "context.").get("country"), "context.location.country"),
        time_zone=word(context.get("timezone"), "context.timezone"),
        properties=_read_by_types(call, kind, properties, lines, foreign),
        name=name,
        page=page_of(url, referrer),
        agent=_agent_of(kind, context),
    )


def _agent_of(kind: str, context: dict[str, Any]) -> str | None:
    """Return who called: what the HTTP server found out, or else what the user agent says.

    An event of the shop's own often comes from a server, whose library is no crawler.
    """
    said = context.get("agent")
    if said in _AGENTS:
        return str(said)
    return None if kind == CUSTOM else agent_of(context.get("userAgent"))


def _channel(kind: str, properties: dict[str, Any], context: dict[str, Any], url: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    said = word(properties.get("channel"), "properties.channel") if kind != "consent_changed" else None
    medium = said or word(part(context, "campaign", "context.").get("medium"), "context.campaign.medium")
    return medium or campaign_in(url).get("utm_medium")


def _read_by_types(
    call: dict[str, Any], kind: str, properties: dict[str, Any], lines: Lines, foreign_currency: str | None
) -> dict[str, str]:
    """Return the properties that a type itself reads."""
    found = {LINES_LEFT_OUT: str(lines.left_out)} if lines.left_out else {}
    if foreign_currency is not None:
        found[CURRENCY] = foreign_currency
    if call.get("type") == "alias":
        previous = identifier(call.get("previousId"), "previousId")
        # browsers name their device where people had no id before, which both ids link already
        if previous is not None and previous != identifier(call.get("anonymousId"), "anonymousId"):
            found[PREVIOUS_ID] = previous
    event = call.get("event")
    name = folded(event) if isinstance(event, str) else ""
    if name == SPAM:
        found[COMPLAINT] = "spam"
    elif name == SOFT_BOUNCE:
        found[BOUNCE_TYPE] = "soft"
    elif kind == "email_bounced":
        said = next((each for each in map(properties.get, _BOUNCE_TYPES) if isinstance(each, str)), None)
        if said is not None:
            found[BOUNCE_TYPE] = said.strip().lower()[:TEXT_MAX]
    return found


def _message(properties: dict[str, Any]) -> Message | None:
    path = "properties."
    ours = word(properties.get("message_id"), f"{path}message_id")
    number = ours or word(properties.get("email_id"), f"{path}email_id")
    flow = word(properties.get("flow_id"), f"{path}flow_id")
    arm = word(properties.get("arm"), f"{path}arm")
    if not number and not flow:
        return None
    return Message(message_id=number, flow_id=flow, flow_version=_version(properties.get("flow_version")), arm=arm)


def _version(value: Any) -> int | None:  # noqa: ANN401 - of a JSON document
    """Return the version of a flow; what is no number of one says nothing."""
    if value is None or value == "":
        return None
    try:
        number = exact(value, "properties.flow_version")
    except RefusedRecord:
        return None
    return int(number) if 0 < number <= INT_MAX and number == number.to_integral_value() else None


def _consent(properties: dict[str, Any]) -> Consent:
    granted, path = properties.get("granted"), "properties."
    if not isinstance(granted, bool):
        # the text "false" would count as true
        raise RefusedRecord("malformed", f"{path}granted is {kind_of(granted)}: allowed is true or false")
    if not granted:
        return Consent(_plain(properties.get("channel")), granted=False, purpose=_plain(properties.get("purpose")))
    at_most = properties.get("at_most")
    limit = None if at_most is None else whole(exact(at_most, f"{path}at_most"), AT_MOST_MAX, f"{path}at_most")
    return Consent(
        channel=text(properties.get("channel"), f"{path}channel") or "",
        granted=True,
        purpose=text(properties.get("purpose"), f"{path}purpose"),
        at_most=limit,
        only_flow=text(properties.get("only_flow"), f"{path}only_flow"),
    )


def _plain(value: Any) -> str:  # noqa: ANN401 - of a JSON document
    """Return a text of a withdrawal, which counts however its fields are filled."""
    return value[:TEXT_MAX] if isinstance(value, str) else ""


def calls_of(document: dict[str, Any]) -> list[Any] | None:
    """Return the calls of a batch, each with what the batch says for all of them; None: it is no batch.

    Raises:
        RefusedRecord: it is too large, or no list.
    """
    if "batch" not in document or (document.get("type") or "batch") != "batch":
        return None
    calls = document["batch"]
    if not isinstance(calls, list):
        raise RefusedRecord("malformed", f"batch is {kind_of(calls)}: allowed is a list of calls")
    context = part(document, "context")
    if context and len(msgspec.json.encode(context)) > BATCH_CONTEXT_BYTES_MAX:
        raise RefusedRecord("too_large", f"the context of a batch has more than {BATCH_CONTEXT_BYTES_MAX} bytes")
    shared = {name: document[name] for name in ("sentAt", "receivedAt") if document.get(name) is not None}
    return [_whole(call, shared, context) for call in calls]


def _whole(call: Any, shared: dict[str, Any], context: dict[str, Any]) -> Any:  # noqa: ANN401 - of a JSON document
    """Return a call with what its batch says for all; what the call says itself goes before."""
    if not isinstance(call, dict):
        return call
    whole_call = {**shared, **call}
    if context:
        whole_call["context"] = {**context, **part(call, "context")}
    return whole_call
