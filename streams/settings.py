"""Settings: what decides (in the journal, one for a prefix) and what runs a worker (from the environment)."""

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
    """A setting that cannot be used; the message names it, its value and what is allowed."""


_zones = cache(available_timezones)
"""Walks a folder of 600 files."""


def _known_zone(name: str) -> str:
    if name not in _zones():
        message = f"{name!r} is not an IANA time zone; allowed are names such as Europe/Berlin or UTC"
        raise ValueError(message)
    return name


class Cuts(BaseModel):
    """Cuts of the three scores: ages of the last order in ms, orders, minor units; four ascending values each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recency_ms: tuple[int, int, int, int]
    frequency: tuple[int, int, int, int]
    monetary_minor: tuple[int, int, int, int]


class Expected(BaseModel):
    """Messages of a flow a day, as a backtest found them: mean and standard deviation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_day: float
    deviation: float


class Canary(BaseModel):
    """A version of a flow for a share of the customers; at 0 % it decides beside the others and sends nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: dict[str, JsonValue]
    percent: float = Field(ge=0, lt=100)
    since_ms: int


class FlowState(BaseModel):
    """How a published flow stands, beside its document; times are of the publisher's clock, for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since_ms: int = 0
    """When its version was published; 0: by a release that did not keep it."""
    paused_ms: int | None = None
    canary: Canary | None = None
    older: tuple[dict[str, JsonValue], ...] = ()
    """Versions that their customers finish, oldest first."""
    expected: Expected | None = None
    """Of the live version."""


class DomainSettings(BaseModel):
    """What decides. A journal record, so that a replay decides alike; changed only by a new record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock: Literal["wall", "marks"] = Field(
        "wall", description="Whose time holds: the brokers' (wall) or a replay's (marks); fixed for a prefix."
    )
    touchpoint_partitions: int = Field(4, ge=1, le=1024, description="Partitions of touchpoints; fixed for a prefix.")
    journal_partitions: int = Field(
        4, ge=1, le=1024, description="Partitions of the journal and of subscribers' topics; fixed for a prefix."
    )
    reporting_time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="IANA time zone of days and weeks."
    )
    reporting_currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="ISO 4217 code; its sums are kept.")
    consent_default: Literal["denied", "granted"] = Field(
        "denied", description="Promotional messages to customers without a statement of consent."
    )
    rfm_window_days: int = Field(730, ge=1, description="Orders of so many days count.")
    rfm_profile: Literal["grid", "classic"] = Field("grid", description="Which segments the scores make.")
    cuts_dead_band: float = Field(
        0.025, ge=0, le=0.1, description="A published cut stays while its rank is off by no more (a share)."
    )
    cuts_fixed: Cuts | None = Field(None, description="Cuts that hold instead of learnt ones, as JSON.")
    panel_customers_max: int = Field(20_000, ge=100, description="Customers that cuts and clusters are learnt from.")
    panel_rows_min: int = Field(100, ge=10, description="First cuts come with so many rows in a week.")
    grace_ms: int = Field(HOUR_MS, ge=0, description="A window of KPIs closes so long after its end.")
    entry_age_max_ms: int = Field(DAY_MS, ge=0, description="An event received later than this starts no flow.")
    arbitration_ms: int = Field(
        300_000, ge=0, description="Messages due within so long of each other go out by the order of their flows."
    )
    unanswered_max: int = Field(
        0, ge=0, description="Promotional messages of 30 days without an open, click or order that are enough; 0: any."
    )
    unengaged_per_week: int | None = Field(
        None, ge=0, description="Most promotional messages a week to who has answered none for 90 days; unset: any."
    )
    send_hour: int = Field(10, ge=0, le=23, description="When customers open messages, until their answers say more.")
    lookback_ms: int = Field(30 * DAY_MS, ge=0, description="Clicks and visits before an order that earn credit.")
    view_lookback_ms: int = Field(DAY_MS, ge=0, description="Ad views before an order that earn credit.")
    flows: tuple[dict[str, JsonValue], ...] = Field((), description="Published flows, from their files.")
    flow_states: dict[str, FlowState] = Field(
        default_factory=dict, description="By flow: paused, canary, older versions; `touchstream flows` writes it."
    )

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of days and weeks."""
        return ZoneInfo(self.reporting_time_zone)


class WorkerSettings(BaseModel):
    """What runs a worker: read once from TOUCHSTREAM_<NAME>, every name in upper case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brokers: str = Field("127.0.0.1:9092", description="Bootstrap servers of the Kafka cluster.")
    prefix: str = Field(
        "touchstream", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Prefix of every topic, and the group."
    )
    instance: str = Field("0", pattern=r"^[A-Za-z0-9._-]{1,60}$", description="Stable name of this worker's slot.")
    state_dir: Path = Field(Path("build/state"), description="Folder of the local state.")
    commit_interval_ms: int = Field(100, ge=10, le=60_000, description="Longest time between commits.")
    batch_records_max: int = Field(1000, ge=1, le=100_000, description="Most records handed over at once.")
    guarantee: Literal["exactly_once", "at_least_once"] = Field("exactly_once", description="Transactions, or not.")
    session_timeout_ms: int = Field(10_000, ge=1_000, description="A worker silent for so long loses its partitions.")
    transaction_timeout_ms: int = Field(8_000, ge=1_000, description="Below session_timeout_ms.")
    membership: Literal["dynamic", "static"] = Field(
        "dynamic",
        description="dynamic: leaves the group when stopped; static: keeps its partitions over a quick restart.",
    )
    web_host: str = Field("127.0.0.1", description="Address of health, metrics and profile pages.")
    web_port: int = Field(6066, ge=1, le=65_535, description="Port of health, metrics and profile pages.")
    web_token: str = Field("", repr=False, description="When set, pages but /health/live ask for it as a bearer token.")
    registry_url: str = Field("", repr=False, description="Schema registry; empty: schemas from the package.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["json", "console"] = Field("json", description="One JSON object a line, or for people.")
    kafka: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="librdkafka's own settings, TOUCHSTREAM_KAFKA_<NAME> with _ for . (SASL, TLS).",
    )


def _explain(error: ValidationError, prefix: str) -> str:
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        shown = "(hidden)" if "token" in name or "kafka" in name.lower() else repr(item["input"])
        lines.append(f"{prefix}{name.upper() if prefix else name} is {shown}: {item['msg']}")
    return "; ".join(lines)


def _worker_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Texts by setting, `kafka_` before those of librdkafka; what <NAME>_FILE names is read. SettingsError."""
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
                raise SettingsError(f"{plain} and {name} are both set: allowed is one of them")
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
        wrong = "no UTF-8"
    else:
        value = text.removesuffix("\n")
        if value:
            return value
        wrong = "it is empty"
    raise SettingsError(f"{variable} is {str(path)!r}: {wrong}; allowed is a file that holds the value")


def parse_worker(environment: Mapping[str, str] | None = None, **given: Any) -> WorkerSettings:  # noqa: ANN401 - values of any setting
    """Settings of a worker from TOUCHSTREAM_* variables; `given` (a command line's options) comes first.

    Any of them may be in a file that TOUCHSTREAM_<NAME>_FILE names, as secrets are mounted; one newline at its end is
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
            f"TOUCHSTREAM_SESSION_TIMEOUT_MS ({settings.session_timeout_ms}), or a dead worker holds up every reader"
        )
        raise SettingsError(message)
    return settings


def domain_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Texts of the TOUCHSTREAM_DOMAIN_* variables by name of the deciding setting; not checked."""
    environment = os.environ if environment is None else environment
    return {
        name.removeprefix(DOMAIN_PREFIX).lower(): text
        for name, text in environment.items()
        if name.startswith(DOMAIN_PREFIX)
    }


def parse_domain(text: str | bytes) -> DomainSettings:
    """Deciding settings from their JSON.

    Raises:
        SettingsError: the message names the path in the JSON, the value and what is allowed.
    """
    try:
        return DomainSettings.model_validate_json(text)
    except ValidationError as error:
        raise SettingsError(_explain(error, "")) from None
