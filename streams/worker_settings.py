"""Settings of a worker, from its environment's variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from streams.settings import ENVIRONMENT_PREFIX, Fixed, SettingsError, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KAFKA = "kafka_"
_FILE = "_file"
# settings of librdkafka whose own names end like that
_NAME_FILES_THEMSELVES = {f"{_KAFKA}sasl_oauthbearer_assertion_{name}_file" for name in ("private_key", "jwt_template")}


class WorkerSettings(Fixed):
    """Settings of one worker, read once from TOUCHSTREAM_<NAME>, each name in upper case."""

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


def read_variables(environment: Mapping[str, str], start: str, knows: Callable[[str], bool]) -> dict[str, str]:
    """Return texts by setting, of the variables that begin with `start`; read what <NAME>_FILE names.

    Raises:
        SettingsError: such a file cannot be read, or a variable is set both ways.
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        if not name.startswith(start):
            continue
        field = name.removeprefix(start).lower()
        setting = field.removesuffix(_FILE)
        if setting != field and field not in _NAME_FILES_THEMSELVES:
            if not value or not knows(setting):
                continue
            plain = name.removesuffix(_FILE.upper())
            if environment.get(plain):
                raise SettingsError(f"{plain} and {name} are both set: set only one of them")
            found[setting] = read_value(name, Path(value))
        elif knows(field):
            found.setdefault(field, value)
    return found


def _is_of_worker(field: str) -> bool:
    return field in WorkerSettings.model_fields or field.startswith(_KAFKA)


def read_value(variable: str, path: Path) -> str:
    """Return what a file holds, without one newline at its end; SettingsError, which names the variable."""
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
    read = read_variables(os.environ if environment is None else environment, ENVIRONMENT_PREFIX, _is_of_worker)
    for field, value in read.items():
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
        raise SettingsError(explain(error, ENVIRONMENT_PREFIX)) from None
    if settings.transaction_timeout_ms >= settings.session_timeout_ms:
        raise SettingsError(
            f"TOUCHSTREAM_TRANSACTION_TIMEOUT_MS is {settings.transaction_timeout_ms}: it must be below "
            f"TOUCHSTREAM_SESSION_TIMEOUT_MS ({settings.session_timeout_ms}), or a dead worker blocks every reader"
        )
    return settings
