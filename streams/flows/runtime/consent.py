"""Whether a message is consented to, and by which statement.

From rules 4 on consent has a purpose, and belongs to an e-mail address; messages by other channels go to the user id.
Before, the latest statement of a channel holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.units import WEEK_MS
from streams.flows.language.validity import NEVER_MS
from streams.flows.runtime.addresses import has_address
from streams.profiles.identity import united_consents
from streams.profiles.listings import stopped
from streams.profiles.mailboxes import Sending, suppressed
from streams.profiles.standing import country_of_default, promotional_default, statements_about
from streams.profiles.statement import ALL, EMAIL, ConsentState
from streams.profiles.statements import Standing, standing_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from streams.flows.language.flow import Flow
    from streams.flows.runtime.candidate import Candidate
    from streams.flows.runtime.receipts import Outcome
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile

DEFAULT = "default"
OTHER_COUNTRIES: Final = "other"
"""In a decision, the countries without a default of their own, and customers whose country is not known."""
_FURTHER: Final[dict[Outcome, int]] = {"no_consent": 0, "no_address": 1, "suppressed": 2}
"""Objections, those to a better channel last."""
_MISSING: Final[dict[Outcome, str]] = {
    "no_consent": "There is no consent from the customer to messages",
    "no_address": "No user id, address or device of the customer is known for messages",
}
ASKED_TO_BE_FORGOTTEN: Final = (
    "The customer asked to be forgotten, so they get no more promotions. Nothing was erased yet."
)


class Message:
    """What consent is asked for; a plain class for the compiled wheel, as Moment."""

    __slots__ = ("address", "before_ms", "channel", "flow")

    def __init__(self, flow: Flow, channel: str, address: str | None, before_ms: int = NEVER_MS) -> None:
        """`address` is the hash of that to which it would go by e-mail; None: none is known.

        What was said or happened from before_ms on does not count.
        """
        self.flow: Final = flow
        self.channel: Final = channel
        self.address: Final = address
        self.before_ms: Final = before_ms


class Way:
    """By which channel a message goes, and the statement of consent on which that rests."""

    __slots__ = ("channel", "evidence", "objection", "reason")

    def __init__(
        self, channel: str, evidence: dict[str, str], objection: Outcome | None = None, reason: str = ""
    ) -> None:
        """`channel` is empty if it goes by none."""
        self.channel: Final = channel
        self.evidence: Final = evidence
        self.objection: Final = objection
        self.reason: Final = reason


def way_of(candidate: Candidate, channels: Iterable[str], at: Moment) -> Way:
    """Return the first of the channels to which nothing objects, or the objection that came furthest."""
    profile, flow = candidate.profile, candidate.plan.flow
    best: Way | None = None
    for channel in channels:
        way = _way_by(profile, flow, channel, at)
        if way.objection is None:
            return way
        if best is None or _FURTHER[way.objection] > _FURTHER[best.objection or "no_consent"]:
            best = way
    if best is None:
        raise ValueError(f"the flow {flow.id} has no channel")
    if best.objection == "suppressed":
        return best
    return no_way(best.objection or "no_consent", best.evidence, flow)


def no_way(missing: Outcome, evidence: dict[str, str], flow: Flow) -> Way:
    """Return that a message goes by none of the flow's channels, because consent or an address is missing."""
    return Way("", evidence, missing, f"{_MISSING[missing]} by {' or '.join(flow.ordered_channels)}, so none was sent.")


def _way_by(profile: Profile, flow: Flow, channel: str, at: Moment) -> Way:
    message = Message(flow, channel, profile.email_hash)
    standing = standing_on(profile, message, at)
    evidence = evidence_of(standing)
    if standing.statement is None and flow.is_promotional and at.settings.consent_default_by_country:
        evidence["consent_country"] = country_of_default(profile, at.settings) or OTHER_COUNTRIES
    why = suppressed_by(profile, message, standing, at)
    if why is not None:
        return Way("", evidence, "suppressed", why)
    if not is_for(standing, flow):
        return Way("", evidence, "no_consent")
    if not has_address(profile, channel, at.customer):
        return Way("", evidence, "no_address")
    return Way(channel, evidence)


def standing_on(profile: Profile, message: Message, at: Moment) -> Standing:
    """Return what the customer said about a message.

    What was bought has to be confirmed: only a withdrawal of its own purpose stops a transactional message.
    """
    default = not message.flow.is_promotional or promotional_default(profile, at.settings)
    if not profile.consents:
        return Standing(None, is_allowed=default)
    said = statements_about(profile, message.channel, message.flow.consent_purpose, message.address)
    # a grant of the same millisecond let the message go
    return standing_of([item for item in said if item.time_ms < message.before_ms + item.granted], default=default)


def suppressed_by(profile: Profile, message: Message, standing: Standing, at: Moment) -> str | None:
    """Return why a message does not go to the customer or an address, in whole sentences; None: nothing stops it."""
    asked = profile.erasure_asked
    if asked is not None and asked[0] < message.before_ms and message.flow.is_promotional:
        return ASKED_TO_BE_FORGOTTEN
    if message.channel != EMAIL or not profile.mailboxes:
        return None
    if not message.flow.is_promotional:
        return stopped(profile, message.address, message.before_ms)
    granted = standing.statement if standing.is_allowed else None
    granted_ms = granted.time_ms if granted is not None else 0
    return suppressed(profile, Sending(message.address, at.now_ms, message.before_ms, granted_ms), at.settings)


def is_for(standing: Standing, flow: Flow) -> bool:
    """Return whether what was said lets messages of the flow go out."""
    if not standing.is_allowed or not standing.limits:
        return standing.is_allowed
    return not any(item.only_flow not in {"", flow.id} for item in standing.limits)


def over_limit(profile: Profile, flow: Flow, channel: str, goes_ms: int, at: Moment) -> str | None:
    """Return why one more promotion goes against what the customer limited; None: it does not."""
    if not any(item.at_most for item in profile.consents):
        return None
    for item in standing_on(profile, Message(flow, channel, profile.email_hash), at).limits:
        if item.at_most:
            near = [sent for sent in profile.messages if sent.is_promotional and abs(sent.time_ms - goes_ms) < WEEK_MS]
            found = len([sent for sent in near if item.channel in {ALL, sent.channel}])
            if found >= item.at_most:
                said = f"The customer wants at most {item.at_most} in seven days (said at {item.time_ms})"
                return f"{said}, and {found} went out, so this one was not sent."
    return None


def evidence_of(standing: Standing) -> dict[str, str]:
    """Return which statement a decision rests on, for its record; DEFAULT: there is none."""
    said = standing.statement
    if said is None:
        return {"consent": DEFAULT}
    return {
        "consent": f"{said.channel}@{said.time_ms}",
        "consent_purpose": said.purpose,
        "consent_address": said.address,
        "consent_received_ms": str(said.received_ms),
        "consent_source": said.source,
    }


def allowed(
    consents: tuple[ConsentState, ...], channel: str, default: Literal["denied", "granted"]
) -> tuple[bool, str]:
    """Return whether messages by the channel are consented to, and the evidence for it: channel@time_ms, or DEFAULT.

    A statement about ALL covers every channel. Of two statements at the same time a withdrawal wins.
    """
    latest = latest_statement(consents, channel)
    if latest is None:
        return default == "granted", DEFAULT
    return latest.granted, f"{latest.channel}@{latest.time_ms}"


def latest_statement(consents: tuple[ConsentState, ...], channel: str) -> ConsentState | None:
    """Return the statement that holds for a channel, its own or one about ALL; None: there is none."""
    latest: ConsentState | None = None
    for item in consents:
        if item.channel in {channel, ALL} and (latest is None or _order(item) > _order(latest)):
            latest = item
    return latest


def with_consent(
    consents: tuple[ConsentState, ...], channel: str, *, granted: bool, time_ms: int
) -> tuple[ConsentState, ...]:
    """Add a statement and keep the latest of each channel; return the same object when nothing changes."""
    united = united_consents((*consents, ConsentState(channel, granted, time_ms)))
    return consents if united == consents else united


def _order(item: ConsentState) -> tuple[int, bool]:
    return item.time_ms, not item.granted
