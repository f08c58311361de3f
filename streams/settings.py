"""Settings that decide: they are in the journal, one set for each prefix."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas.countries import CountryCode
from schemas.nobody import IDS_OF_NOBODY, NobodysIds
from schemas.quality import QualitySettings
from schemas.units import DAY_MS, HOUR_MS
from schemas.zones import NAMES
from streams.attributes import Attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "TOUCHSTREAM_"
DOMAIN_PREFIX = f"{ENVIRONMENT_PREFIX}DOMAIN_"


class SettingsError(ValueError):
    """A setting is wrong; the message names it, its value and what is allowed."""


def _known_zone(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"{name!r} is not an IANA time zone; use a name such as Europe/Berlin or UTC")
    return name


class Fixed(BaseModel):
    """Settings that never change; the docstring of a field is what `touchstream settings` shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Cuts(Fixed):
    """Boundaries of the three scores: age of the last order in ms, orders, minor units; four ascending values each."""

    recency_ms: tuple[int, int, int, int]
    frequency: tuple[int, int, int, int]
    monetary_minor: tuple[int, int, int, int]


class Expected(Fixed):
    """How many messages a flow sends a day, as a backtest found: mean and standard deviation."""

    per_day: float
    deviation: float


class Canary(Fixed):
    """A version of a flow for a share of the customers; at 0 % it decides but sends nothing."""

    flow: dict[str, JsonValue]
    percent: float = Field(ge=0, lt=100)
    since_ms: int


class FlowState(Fixed):
    """The state of a published flow, beside its document; times are by the publisher's clock, for people."""

    since_ms: int = 0
    """When its version was published; 0: a release that did not keep the time published it."""
    paused_ms: int | None = None
    canary: Canary | None = None
    older: tuple[dict[str, JsonValue], ...] = ()
    """Earlier versions with customers still in them, oldest first."""
    expected: Expected | None = None
    """Of the live version."""


class DomainSettings(Fixed):
    """Settings that decide. They are a journal record, so a replay decides the same; only a new record changes them."""

    clock: Literal["wall", "marks"] = "wall"
    """Which time applies. wall: the brokers' clock; marks: the time that `touchstream replay` writes.
    Fixed once the prefix is created."""
    touchpoint_partitions: int = Field(4, ge=1, le=1024)
    """Partitions of the topic touchpoints. Fixed once the prefix is created."""
    journal_partitions: int = Field(4, ge=1, le=1024)
    """Partitions of the journal and of the topics you subscribe to. Fixed once the prefix is created;
    `touchstream repartition` copies it into a new prefix with more."""
    reporting_time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """IANA time zone in which days and weeks begin, and for customers whose zone is unknown."""
    reporting_currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    """Currency of all sums, an ISO 4217 code."""
    consent_default: Literal["denied", "granted"] = "denied"
    """Whether customers who never gave or refused consent get promotional messages."""
    consent_default_by_country: dict[CountryCode, Literal["denied", "granted"]] = {}
    """The same by the customer's country (ISO 3166), as JSON. For others consent_default holds."""
    consent_purposes: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], ...] = Field(
        ("transactional", "service", "promotional", "profiling"), max_length=100
    )
    """The purposes of consent, as JSON. A grant for another one is refused, and a withdrawal is one of promotions."""
    suppression_days: int = Field(730, ge=1, le=36_500)
    """How many days a bounce or a report of spam stops promotions to the address, if nothing proves it well before."""
    soft_bounces_max: int = Field(3, ge=0, le=10)
    """So many soft bounces within soft_bounce_days stop promotions to the address. 0: they never do."""
    soft_bounce_days: int = Field(30, ge=1, le=365)
    """Within how many days soft bounces of an address count together."""
    rfm_window_days: int = Field(730, ge=1)
    """For how many days an order counts for frequency and monetary value."""
    rfm_profile: Literal["grid", "classic"] = "grid"
    """How scores become segments. grid: eleven segments; classic: six."""
    cuts_dead_band: float = Field(0.025, ge=0, le=0.1)
    """How far a score's boundary may drift before it is replaced, as a share of customers (0.025 is 2.5 %).
    Higher: customers change segment less often. 0: new boundaries every week."""
    cuts_fixed: Cuts | None = None
    """Boundaries of the RFM scores as JSON: recency_ms, frequency and monetary_minor, each with four rising values.
    Unset: they are learnt from your customers each week."""
    panel_customers_max: int = Field(20_000, ge=100)
    """About how many customers to learn boundaries and clusters from. Higher: more precise but slower."""
    panel_rows_min: int = Field(100, ge=10)
    """How many customers the week's sample needs before RFM scores begin. Higher: later but more reliable."""
    grace_ms: int = Field(HOUR_MS, ge=0)
    """How long KPIs wait for late events after their hour, day or week ends, in milliseconds.
    Higher: later but more complete. Events after that become corrections."""
    entry_age_max_ms: int = Field(DAY_MS, ge=0)
    """An event older than this on arrival starts no flow, in milliseconds. So imported history sends no messages."""
    arbitration_ms: int = Field(300_000, ge=0)
    """How close together promotional messages to one customer must be due to compete, in milliseconds.
    The flow with the higher priority goes first. 0: they never compete."""
    unanswered_max: int = Field(0, ge=0)
    """Stop promotional messages after this many without an open, click or order, until one comes. 0: no such limit."""
    unengaged_per_week: int | None = Field(None, ge=0)
    """Weekly cap on promotional messages for customers who answered none in 90 days. Unset: no extra cap."""
    send_hour: int = Field(10, ge=0, le=23)
    """Hour of the customer's day to send at until their own habits are known. Only for flows with send_time best."""
    lookback_ms: int = Field(30 * DAY_MS, ge=0)
    """How long before an order a click or visit may be and still earn credit, in milliseconds."""
    view_lookback_ms: int = Field(DAY_MS, ge=0)
    """How long before an order an ad view may be and still earn credit, in milliseconds."""
    logout_events: dict[str, tuple[str, ...]] = Field({"segment": ("Signed Out",)})
    """By source, events that mean a logout: types, or names of track calls (source segment). They become
    identity_unlinked. A worker reads this when it starts."""
    shops: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]] = Field({}, max_length=1_000)
    """By source of touchpoints, the shop of its order ids, as JSON. Others are one shop. An id counts once in each."""
    server_sources: tuple[Annotated[str, Field(max_length=512)], ...] = Field((), max_length=1_000)
    """Sources that are servers with right clocks, as JSON. Of an order that a browser reports too, the server's holds.
    From others a grant after a withdrawal must also have come in later."""
    linking_sources: tuple[Annotated[str, Field(max_length=512)], ...] | None = Field(None, max_length=1_000)
    """Sources that may say that two user ids are one person, as JSON. Unset: those of server_sources. From others an
    identity_linked with previous_id is a dead letter. A worker reads this when it starts."""
    attributes: Attributes = {}
    """Properties of events and traits of customers that are kept, with their types, as JSON. Others are let go.
    A worker reads this when it starts."""
    ids_of_nobody: NobodysIds = IDS_OF_NOBODY
    """Ids of users and devices that mean nobody, as JSON; capitals do not matter. Noughts, blanks and placeholders such
    as {{id}} never are an id. A worker reads this when it starts."""
    quality: QualitySettings = QualitySettings()
    """Days on which the shop is closed, and sources that nobody watches, as JSON: closing_days and unwatched."""
    flows: tuple[dict[str, JsonValue], ...] = ()
    """Published flows, as their files have them."""
    flow_states: dict[str, FlowState] = Field(default_factory=dict)
    """By flow: paused, canary, older versions. Only `touchstream flows` writes it."""

    @property
    def may_link(self) -> tuple[str, ...]:
        """Return the sources that may say that two user ids are one person."""
        return self.server_sources if self.linking_sources is None else self.linking_sources

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone of days and weeks."""
        return ZoneInfo(self.reporting_time_zone)


def explain(error: ValidationError, prefix: str) -> str:
    """Return which settings are wrong: their names after the prefix, their values and what is allowed."""
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        shown = "(hidden)" if "token" in name or "kafka" in name.lower() else repr(item["input"])
        wrong = "there is no such setting" if item["type"] == "extra_forbidden" else item["msg"]
        lines.append(f"{prefix}{name.upper() if prefix else name} is {shown}: {wrong.removeprefix('Value error, ')}")
    return "; ".join(lines)


def domain_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the texts of the TOUCHSTREAM_DOMAIN_* variables by name of the setting, unchecked."""
    environment = os.environ if environment is None else environment
    return {
        name.removeprefix(DOMAIN_PREFIX).lower(): text
        for name, text in environment.items()
        if name.startswith(DOMAIN_PREFIX)
    }


def parse_domain(text: str | bytes) -> DomainSettings:
    """Parse the settings that decide from their JSON.

    Raises:
        SettingsError: the message names the path in the JSON, the value and what is allowed.
    """
    try:
        return DomainSettings.model_validate_json(text)
    except ValidationError as error:
        raise SettingsError(explain(error, "")) from None
