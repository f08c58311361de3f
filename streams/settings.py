"""Settings: those that decide (in the journal, one set for each prefix) and those of a worker (from variables)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas.units import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "TOUCHSTREAM_"
DOMAIN_PREFIX = f"{ENVIRONMENT_PREFIX}DOMAIN_"
_KAFKA = "kafka_"
_FILE = "_file"
# settings of librdkafka whose own names end like that
_NAME_FILES_THEMSELVES = frozenset(
    f"{_KAFKA}sasl_oauthbearer_assertion_{name}" for name in ("private_key_file", "jwt_template_file")
)


class SettingsError(ValueError):
    """A setting is wrong; the message names it, its value and what is allowed."""


_zones = cache(available_timezones)
"""Cached, as it walks a folder of 600 files."""


def _known_zone(name: str) -> str:
    if name not in _zones():
        message = f"{name!r} is not an IANA time zone; use a name such as Europe/Berlin or UTC"
        raise ValueError(message)
    return name


class Cuts(BaseModel):
    """Boundaries of the three scores: age of the last order in ms, orders, minor units; four ascending values each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recency_ms: tuple[int, int, int, int]
    frequency: tuple[int, int, int, int]
    monetary_minor: tuple[int, int, int, int]


class Expected(BaseModel):
    """How many messages a flow sends a day, as a backtest found: mean and standard deviation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_day: float
    deviation: float


class Canary(BaseModel):
    """A version of a flow for a share of the customers; at 0 % it decides but sends nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: dict[str, JsonValue]
    percent: float = Field(ge=0, lt=100)
    since_ms: int


class FlowState(BaseModel):
    """The state of a published flow, beside its document; times are by the publisher's clock, for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since_ms: int = 0
    """When its version was published; 0: a release that did not keep the time published it."""
    paused_ms: int | None = None
    canary: Canary | None = None
    older: tuple[dict[str, JsonValue], ...] = ()
    """Earlier versions with customers still in them, oldest first."""
    expected: Expected | None = None
    """Of the live version."""


class DomainSettings(BaseModel):
    """Settings that decide. They are a journal record, so a replay decides the same; only a new record changes them.

    The docstring of a field is what `touchstream settings` shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

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
    flows: tuple[dict[str, JsonValue], ...] = ()
    """Published flows, as their files have them."""
    flow_states: dict[str, FlowState] = Field(default_factory=dict)
    """By flow: paused, canary, older versions. Only `touchstream flows` writes it."""

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone of days and weeks."""
        return ZoneInfo(self.reporting_time_zone)


class WorkerSettings(BaseModel):
    """Settings of one worker, read once from TOUCHSTREAM_<NAME>, each name in upper case.

    The docstring of a field is what `touchstream settings` shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    brokers: str = "127.0.0.1:9092"
    """Addresses of Kafka brokers to start from, as host:port, separated by commas."""
    prefix: str = Field("touchstream", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Namespace: the start of every topic's name and the name of the consumer group."""
    instance: str = Field("0", pattern=r"^[A-Za-z0-9._-]{1,60}$")
    """Name of this worker. It must stay the same over restarts, and no other worker may use it."""
    state_dir: Path = Path("build/state")
    """Folder for this worker's state, shared with no other worker. A lost one is rebuilt from Kafka."""
    commit_interval_ms: int = Field(100, ge=10, le=60_000)
    """Longest time between commits, in milliseconds. Higher: less load on Kafka but later results."""
    batch_records_max: int = Field(1000, ge=1, le=100_000)
    """Most records processed at once. Higher: faster, but more memory."""
    guarantee: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """exactly_once uses Kafka transactions. at_least_once does without them; subscribers must then drop repeats."""
    on_lost: Literal["stop", "continue"] = "stop"
    """stop: the worker ends if retention deleted records before it read them. continue: it goes on without them."""
    session_timeout_ms: int = Field(10_000, ge=1_000)
    """A worker silent for this many milliseconds loses its partitions to the others."""
    transaction_timeout_ms: int = Field(8_000, ge=1_000)
    """A dead worker's transaction ends after this many milliseconds. It must be below the session timeout."""
    step_seconds_max: float = Field(30.0, ge=1, le=3_600)
    """A worker ends if one step takes this many seconds. The next start sets the record aside if it hangs again."""
    membership: Literal["dynamic", "static"] = "dynamic"
    """dynamic: a stopped worker gives up its partitions at once. static: it keeps them over a quick restart."""
    web_host: str = "127.0.0.1"
    """Address for health, metrics and profile pages. 0.0.0.0: reachable from other machines."""
    web_port: int = Field(6066, ge=1, le=65_535)
    """Port for health, metrics and profile pages."""
    web_token: str = Field("", repr=False)
    """Bearer token that every page except /health/live asks for. Empty: pages are open to anyone."""
    registry_url: str = Field("", repr=False)
    """URL of a schema registry. Empty: no registry; the package's own schemas are used."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe messages to log. debug logs most, error least."""
    log_format: Literal["json", "console"] = "json"
    """How to write logs. json: one object a line, for machines; console: text for people."""
    kafka: dict[str, str] = Field(default_factory=dict, repr=False)
    """Any setting of librdkafka, such as SASL or TLS. Write its name in upper case, with _ for each dot."""


def _explain(error: ValidationError, prefix: str) -> str:
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        shown = "(hidden)" if "token" in name or "kafka" in name.lower() else repr(item["input"])
        wrong = "there is no such setting" if item["type"] == "extra_forbidden" else item["msg"]
        lines.append(f"{prefix}{name.upper() if prefix else name} is {shown}: {wrong.removeprefix('Value error, ')}")
    return "; ".join(lines)


def _worker_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return texts by setting, with `kafka_` before those of librdkafka; read what <NAME>_FILE names. SettingsError."""
    found: dict[str, str] = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        field = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        setting = field.removesuffix(_FILE)
        if setting != field and field not in _NAME_FILES_THEMSELVES:
            if not value or not _is_of_worker(setting):
                continue
            plain = name.removesuffix(_FILE.upper())
            if environment.get(plain):
                raise SettingsError(f"{plain} and {name} are both set: set only one of them")
            found[setting] = _read_value(name, Path(value))
        elif _is_of_worker(field):
            found.setdefault(field, value)
    return found


def _is_of_worker(field: str) -> bool:
    return field in WorkerSettings.model_fields or field.startswith(_KAFKA)


def _read_value(variable: str, path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        wrong = error.strerror
    except UnicodeDecodeError:
        wrong = "it is not UTF-8 text"
    else:
        value = text.removesuffix("\n")
        if value:
            return value
        wrong = "it is empty"
    raise SettingsError(f"{variable} is {str(path)!r}: {wrong}; name a file that holds the value")


def parse_worker(environment: Mapping[str, str] | None = None, **given: Any) -> WorkerSettings:  # noqa: ANN401 - values of any setting
    """Return a worker's settings from TOUCHSTREAM_* variables; `given` (a command line's options) overrides them.

    Any value may be in a file that TOUCHSTREAM_<NAME>_FILE names, as secrets are mounted. One newline at its end is
    not part of the value.

    Raises:
        SettingsError: a value is not allowed; the message names variable, value and what is allowed.
    """
    values: dict[str, Any] = {}
    kafka: dict[str, str] = {}
    for field, value in _worker_variables(os.environ if environment is None else environment).items():
        if field.startswith(_KAFKA):
            kafka[field.removeprefix(_KAFKA).replace("_", ".")] = value
        else:
            values[field] = value
    values |= {name: value for name, value in given.items() if value is not None}
    if kafka:
        values["kafka"] = {**kafka, **values.get("kafka", {})}
    try:
        settings = WorkerSettings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, ENVIRONMENT_PREFIX)) from None
    if settings.transaction_timeout_ms >= settings.session_timeout_ms:
        message = (
            f"TOUCHSTREAM_TRANSACTION_TIMEOUT_MS is {settings.transaction_timeout_ms}: it must be below "
            f"TOUCHSTREAM_SESSION_TIMEOUT_MS ({settings.session_timeout_ms}), or a dead worker blocks every reader"
        )
        raise SettingsError(message)
    return settings


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
        raise SettingsError(_explain(error, "")) from None
