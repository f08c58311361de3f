"""What is known of a customer's consent, what was known at a time, and on what each message rested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from schemas.outputs import Decision, Trigger
from schemas.units import shown_time
from streams.flows.language.validity import NEVER_MS
from streams.flows.runtime.consent import ASKED_TO_BE_FORGOTTEN, DEFAULT, OTHER_COUNTRIES
from streams.kafka.partitioner import partition_of
from streams.operations.explain import notes_on, records_of
from streams.operations.held import survivor_of
from streams.profiles.effects import derived_id
from streams.profiles.listings import stopped
from streams.profiles.mailboxes import Sending, held_at, suppressed
from streams.profiles.standing import country_of_default, promotional_default, statements_about
from streams.profiles.statement import EMAIL, PROMOTIONAL, UNSURE, ConsentState
from streams.profiles.statements import beats, reaches_ms, standing_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.operations.prefix import Prefix
    from streams.profiles.profile import Profile
    from streams.settings import DomainSettings

ADDRESS_SHOWN: Final = 8
"""Characters of an address' hash that people see: enough to tell the addresses of one customer apart."""
_WITHOUT_CONSENT: Final = frozenset({"transactional", "service"})
"""Purposes for which messages go out unless the customer said no."""
_NAMED: Final = ("consent_purpose", "consent_address", "consent_received_ms", "consent_source")


_Subject: TypeAlias = tuple[str, str, str | None]
"""A channel, a purpose and, by e-mail, an address."""


class NoSuchTrigger(ValueError):
    """A customer has no trigger with an id."""


class Asked(NamedTuple):
    """What is asked about a customer; None: all of it."""

    at_ms: int | None = None
    """What was received by then."""
    channel: str | None = None
    purpose: str | None = None


class Statement(msgspec.Struct, frozen=True):
    """A statement as people see it; times in ms."""

    channel: str
    purpose: str
    granted: bool
    address: str
    """The first characters of its hash; empty: it names none."""
    source: str
    is_server: bool
    valid_ms: int
    received_ms: int
    at_most: int
    only_flow: str
    is_of_other: bool
    """Whether another profile of the address limited the address."""


class Conclusion(msgspec.Struct, frozen=True):
    """Whether messages of a purpose may go to a customer by a channel, and to an address, and why."""

    channel: str
    purpose: str
    address: str
    is_allowed: bool
    why: str
    statement: Statement | None
    """That which wins; None: nobody said anything about it."""


class Consent(msgspec.Struct, frozen=True):
    """What is known of a customer's consent."""

    customer: str
    asked: str
    """Whom it was asked about: they may have been merged into `customer`."""
    is_known: bool
    at_ms: int | None
    reaches_ms: int
    """From which valid time on all statements are there, ms; 0: all are."""
    conclusions: tuple[Conclusion, ...] = ()
    statements: tuple[Statement, ...] = ()
    """By valid time."""
    notes: tuple[str, ...] = ()
    """What else decides, in whole sentences."""


class Rested(msgspec.Struct, frozen=True):
    """On what a message rested."""

    trigger: Trigger
    decision: Decision | None
    sentence: str
    later: tuple[Decision, ...]
    """What was decided about its candidate since: such as that a late withdrawal forbids it."""


def ask(prefix: Prefix, customer: str, asked: Asked) -> Consent:
    """Return what is known of a customer's consent as of the last commit, or was received by a time.

    Raises:
        NewerState: a later release wrote the customer's state.
    """
    survivor, profile = survivor_of(prefix, customer)
    if profile is None:
        return Consent(survivor, customer, is_known=False, at_ms=asked.at_ms, reaches_ms=0)
    known = profile
    if asked.at_ms is not None:
        known = _known_at(profile, asked.at_ms)
    subjects = _subjects(known, asked)
    return Consent(
        survivor,
        customer,
        is_known=True,
        at_ms=asked.at_ms,
        reaches_ms=reaches_ms(profile.consents),
        conclusions=tuple([_concluded(known, subject, asked.at_ms, prefix.domain) for subject in subjects]),
        statements=tuple([_shown(item) for item in known.consents if _is_asked(item, asked)]),
        notes=notes_on(known),
    )


def _known_at(profile: Profile, at_ms: int) -> Profile:
    consents = tuple([item for item in profile.consents if item.received_ms <= at_ms])
    requests = profile.erasure_asked
    known = None if requests is None or requests[0] > at_ms else requests
    return msgspec.structs.replace(profile, consents=consents, erasure_asked=known)


def _is_asked(item: ConsentState, asked: Asked) -> bool:
    return asked.channel in {None, item.channel} and asked.purpose in {None, item.purpose}


def _subjects(profile: Profile, asked: Asked) -> list[_Subject]:
    """Return each channel, purpose and, by e-mail, address of which something was said, or which is asked."""
    said = profile.consents
    channels = {asked.channel} if asked.channel else {EMAIL, *[item.channel for item in said]}
    purposes = {asked.purpose} if asked.purpose else {PROMOTIONAL, *[item.purpose for item in said]}
    in_use = profile.email_hash if asked.at_ms is None else held_at(profile, asked.at_ms)
    named = {item.address for item in said} - {"", UNSURE, in_use}
    found: list[_Subject] = []
    for channel in sorted(channels):
        for purpose in sorted(purposes):
            found.append((channel, purpose, in_use))
            if channel == EMAIL:
                found += [(channel, purpose, address) for address in sorted(named)]
    return found


def _concluded(profile: Profile, subject: _Subject, at_ms: int | None, settings: DomainSettings) -> Conclusion:
    channel, purpose, address = subject
    default = purpose in _WITHOUT_CONSENT or promotional_default(profile, settings)
    said = statements_about(profile, channel, purpose, address)
    standing = standing_of(said, default=default)
    winner, is_allowed = standing.statement, standing.is_allowed
    country = None if purpose in _WITHOUT_CONSENT else country_of_default(profile, settings)
    why = _why(winner, said, country, default=default)
    if purpose == PROMOTIONAL and profile.erasure_asked is not None:
        is_allowed, why = False, ASKED_TO_BE_FORGOTTEN
    elif purpose == PROMOTIONAL and channel == EMAIL:
        granted_ms = winner.time_ms if winner is not None and is_allowed else 0
        now_ms = profile.clock_ms if at_ms is None else at_ms
        bad = suppressed(
            profile, Sending(address, now_ms, NEVER_MS if at_ms is None else at_ms + 1, granted_ms), settings
        )
        if bad is not None:
            is_allowed, why = False, f"{why} {bad}"
    elif channel == EMAIL:
        bad = stopped(profile, address, NEVER_MS if at_ms is None else at_ms + 1)
        is_allowed, why = (is_allowed, why) if bad is None else (False, f"{why} {bad}")
    limits = "".join([f" {_limit(item)}" for item in standing.limits])
    to = masked_address(address) if channel == EMAIL and address else ""
    return Conclusion(channel, purpose, to, is_allowed, why + limits, None if winner is None else _shown(winner))


def _why(winner: ConsentState | None, said: Sequence[ConsentState], country: str | None, *, default: bool) -> str:
    if winner is None:
        there = f" in {country}" if country else ""
        return f"Nothing was said, and without a statement it is {'granted' if default else 'denied'}{there}."
    withdrawals = [item for item in said if not item.granted]
    if winner.granted:
        return "It is later than every withdrawal." if withdrawals else "It was granted, and not withdrawn."
    grants = [item for item in said if item.grants]
    if not grants:
        return "It was withdrawn, and not granted."
    early = [grant for grant in grants if grant.time_ms > winner.time_ms and not beats(grant, winner)]
    if early:
        return (
            "It was withdrawn. A grant of a later time came in no later, and a clock may be wrong, so it does not win."
        )
    return "It was withdrawn, and no grant is later than every withdrawal."


def _limit(item: ConsentState) -> str:
    parts = [f"at most {item.at_most} in seven days"] if item.at_most else []
    parts += [f"only of the flow {item.only_flow}"] if item.only_flow else []
    return f"The customer wants {' and '.join(parts)}."


def _shown(item: ConsentState) -> Statement:
    return Statement(
        item.channel,
        item.purpose,
        item.granted,
        masked_address(item.address),
        item.source,
        item.is_server,
        item.time_ms,
        item.received_ms,
        item.at_most,
        item.only_flow,
        item.is_of_other,
    )


def masked_address(address: str) -> str:
    """Return the first characters of an address' hash, as people see it."""
    return address if len(address) <= ADDRESS_SHOWN else f"{address[:ADDRESS_SHOWN]}..."


def rested(prefix: Prefix, customer: str, trigger_id: str) -> Rested:
    """Return on what a message of a customer rested, by its decision.

    Raises:
        NoSuchTrigger: the customer has none with this id.
    """
    partition = partition_of(customer, prefix.domain.journal_partitions)
    triggers = records_of(prefix, "triggers", partition, customer, Trigger)
    trigger = next((each for each in triggers if each.trigger_id == trigger_id), None)
    if trigger is None:
        raise NoSuchTrigger(f"customer {customer} has no trigger {trigger_id}: `touchstream explain` lists theirs")
    decisions = tuple(records_of(prefix, "decisions", partition, customer, Decision))
    decision = decision_of(trigger, decisions)
    later = () if decision is None else _since(decision, decisions)
    return Rested(trigger, decision, rests_on(decision), later)


def decision_of(trigger: Trigger, decisions: Iterable[Decision]) -> Decision | None:
    """Return the decision that sent a message; None: it is not among these."""
    found = None
    for each in decisions:
        cause = (each.cause, each.customer, each.flow_id, each.flow_version, each.step)
        if each.outcome == "sent" and each.time_ms == trigger.decided_ms and derived_id(*cause) == trigger.trigger_id:
            found = each
    return found


def _since(decision: Decision, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    behind = decisions[decisions.index(decision) + 1 :]
    return tuple([each for each in behind if each.candidate_id == decision.candidate_id])


def rests_on(decision: Decision | None) -> str:
    """Return the statement on which a decision rests, as one sentence."""
    evidence: Mapping[str, str] = {} if decision is None else decision.evidence
    said = evidence.get("consent", "")
    if not said:
        return "Its decision names no statement."
    if said == DEFAULT:
        country = evidence.get("consent_country", "")
        where = f" in {'other countries' if country == OTHER_COUNTRIES else country}" if country else ""
        return f"It rested on no statement, but on what holds without one{where}."
    channel, _, valid_ms = said.rpartition("@")
    purpose, address, received_ms, source = [evidence.get(name, "") for name in _NAMED]
    about = f"It rested on what was said of {channel}"
    about += f" for the purpose {purpose}" if purpose else ""
    about += f" for the address {masked_address(address)}" if address else ""
    about += f" by {source}" if source else ""
    about += f" on {_time(valid_ms)}"
    return about + (f", received on {_time(received_ms)}." if received_ms else ".")


def _time(text: str) -> str:
    return shown_time(int(text)) if text.isdecimal() else text
