"""Settings of the door over HTTP: its environment's variables, and its file with write keys and sources."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator

from schemas.limits import VALUE_BYTES_MAX
from streams.collect.door import CALLS_MAX
from streams.collect.doors import DOORS
from streams.flows.language.documents import DocumentError, parse_yaml, read_text
from streams.serve.limits import ADDED_BYTES_MAX, BATCH_BYTES_MAX, BATCH_CALLS_MAX, CALL_BYTES_MAX, KEYS_MAX
from streams.serve.proofs import PROOFS
from streams.settings import ENVIRONMENT_PREFIX, Fixed, SettingsError, explain
from streams.worker_settings import read_value, read_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
SERVE_PREFIX = f"{ENVIRONMENT_PREFIX}SERVE_"
SECRET_MIN = 16
"""Characters of a key or a secret: as many of 16 symbols are 64 bits."""
SECRET_MAX = 16_384
"""A public key in PEM, or several certificates, are a secret too."""
_RECORD_BYTES_MAX = VALUE_BYTES_MAX - ADDED_BYTES_MAX
_ANY = "*"


def _origin(text: str) -> str:
    """Return an origin as browsers send it: a scheme, a host in small letters, and a port if it is not the usual."""
    if text == _ANY:
        return text
    found = urlsplit(text)
    if found.scheme not in {"http", "https"} or not found.netloc or text != f"{found.scheme}://{found.netloc.lower()}":
        raise ValueError(f"{text!r} is no origin; write one as https://shop.example, or * for every page of the world")
    return text


def _proof(name: str) -> str:
    if name not in PROOFS:
        raise ValueError(f"{name!r} is no way to verify a request; allowed are {', '.join(PROOFS)}")
    return name


def _door(name: str) -> str:
    if name not in DOORS:
        raise ValueError(f"{name!r} is no door; allowed are {', '.join(DOORS)}")
    return name


class ServeSettings(Fixed):
    """Settings of one process of the door, read once from TOUCHSTREAM_SERVE_<NAME>, each name in upper case."""

    host: str = "127.0.0.1"
    """Address to listen on. 0.0.0.0: reachable from other machines. Put a server with TLS in front."""
    port: int = Field(8080, ge=1, le=65_535)
    """Port to listen on."""
    config: Path | None = None
    """YAML file with write keys and sources (deploy/guide/http.md)."""
    token: str = Field("", repr=False)
    """Bearer token that /metrics asks for. Empty: only this machine sees them, if the door listens on no other."""
    connections_max: int = Field(1_000, ge=1, le=100_000)
    """Connections at once. With one more, the one that has been idle for longest is closed."""
    unacknowledged_bytes_max: int = Field(64 * 1024 * 1024, ge=1024 * 1024)
    """Bytes that may wait for Kafka's acknowledgement. What is more is answered with 503 and Retry-After."""
    acknowledge_seconds_max: float = Field(10.0, ge=0.5, le=300)
    """A call that Kafka has not acknowledged after so many seconds is answered with 503; it may be written still."""
    stop_seconds_max: float = Field(20.0, ge=0, le=300)
    """After SIGTERM, how long calls that are under way may take to end."""


class Limits(Fixed):
    """How much one key or source may send."""

    requests_per_second: float = Field(1_000, gt=0, le=1_000_000)
    """Requests a second, and as many at once. What is more is answered with 429 and Retry-After."""
    bytes_per_second: float = Field(10_000_000, gt=0, le=10_000_000_000)
    """Bytes of bodies a second, and as many at once."""


class Secret(Limits):
    """A secret: in the file itself, or in one that it names."""

    key: str | None = Field(None, repr=False, min_length=SECRET_MIN, max_length=SECRET_MAX)
    """The key. That of a browser is no secret: everyone can read it in the page."""
    key_file: Path | None = None
    """A file that holds the key, relative to this one."""


S = TypeVar("S", bound=Secret)


class WriteKey(Secret):
    """Who may call /v1, and how."""

    source: Name
    """The source of the touchpoints: events are known by it and by their id."""
    sender: Literal["browser", "server"] = "server"
    """browser: who calls is the customer's own browser, so its user agent says whether that is a person."""
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field((), max_length=1_000)
    """Origins of the pages that may call with this key. A call from a page of another origin is refused."""
    call_bytes_max: int = Field(CALL_BYTES_MAX, ge=1_000, le=_RECORD_BYTES_MAX)
    """Bytes of one call."""
    batch_bytes_max: int = Field(BATCH_BYTES_MAX, ge=1_000, le=16 * BATCH_BYTES_MAX)
    """Bytes of a batch, after gzip."""
    batch_calls_max: int = Field(BATCH_CALLS_MAX, ge=1, le=100_000)
    """Calls of a batch."""

    @model_validator(mode="after")
    def _needs_one_key(self) -> Self:
        if (self.key is None) == (self.key_file is None):
            raise ValueError("give either key or key_file")
        return self


class Source(Secret):
    """Who may post to /in/<source>: a webhook, or a system of your own."""

    door: Annotated[str, AfterValidator(_door)]
    """The form of what comes in, such as segment, cloudevents or shopify."""
    verify: Annotated[str, AfterValidator(_proof)]
    """How a request proves where it comes from, such as bearer, basic, hmac or the name of a provider."""
    bytes_max: int = Field(BATCH_BYTES_MAX, ge=1_000, le=_RECORD_BYTES_MAX)
    """Bytes of a request, after gzip."""
    records_max: int = Field(BATCH_CALLS_MAX, ge=1, le=CALLS_MAX)
    """Events in one request, where they come as a list."""


class Config(Fixed):
    """The file of the door."""

    keys: dict[Name, WriteKey] = Field({}, max_length=KEYS_MAX)
    """By a name of your own, which logs and metrics show."""
    sources: dict[Name, Source] = Field({}, max_length=KEYS_MAX)
    """By the name in /in/<source>, which is the source of the touchpoints."""

    @property
    def bytes_max(self) -> int:
        """Return the most bytes that any body may have."""
        of_keys = [max(key.call_bytes_max, key.batch_bytes_max) for key in self.keys.values()]
        return max([*of_keys, *(source.bytes_max for source in self.sources.values())], default=0)


def read_config(file: Path) -> Config:
    """Return the contents of the door's file, with the keys that it names in other files.

    Raises:
        SettingsError: the message names file, path, and what is allowed; never a key.
    """
    try:
        values = parse_yaml(read_text(file))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; --config needs a YAML file") from None
    except DocumentError as error:
        raise SettingsError(f"{file}: {error}") from None
    try:
        config = Config.model_validate({} if values is None else values)
    except ValidationError as error:
        raise SettingsError("; ".join(f"{file}: {_explained(item)}" for item in error.errors()[:10])) from None
    if not config.keys and not config.sources:
        raise SettingsError(f"{file}: it has neither keys nor sources, so nobody could send anything")
    filled = Config(
        keys={name: _with_key(key, file, f"keys.{name}") for name, key in config.keys.items()},
        sources={name: _with_key(each, file, f"sources.{name}") for name, each in config.sources.items()},
    )
    known: dict[str | None, str] = {}
    for name, key in filled.keys.items():
        if key.key in known:
            raise SettingsError(f"{file}: keys.{name} and keys.{known[key.key]} have the same key; give each its own")
        known[key.key] = name
    return filled


def parse_serve(environment: Mapping[str, str] | None = None, **given: Any) -> ServeSettings:  # noqa: ANN401 - values of any setting
    """Return the settings of TOUCHSTREAM_SERVE_* variables; `given` (a command line's options) overrides them.

    Raises:
        SettingsError: a value is not allowed; the message names variable, value and what is allowed.
    """
    known = ServeSettings.model_fields.keys()
    texts = read_variables(os.environ if environment is None else environment, SERVE_PREFIX, known.__contains__)
    try:
        return ServeSettings.model_validate(texts | {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(explain(error, SERVE_PREFIX)) from None


def _with_key(given: S, file: Path, place: str) -> S:
    """Return the same with the key that another file holds; SettingsError."""
    if given.key_file is None:
        return given
    key = read_value(f"{file}: {place}.key_file", file.parent / given.key_file)
    if not SECRET_MIN <= len(key) <= SECRET_MAX:
        raise SettingsError(
            f"{file}: {place}.key_file holds {len(key)} characters; a key has {SECRET_MIN} to {SECRET_MAX}"
        )
    return given.model_copy(update={"key": key, "key_file": None})


def _explained(item: Any) -> str:  # noqa: ANN401 - pydantic_core.ErrorDetails
    place = ".".join(str(part) for part in item["loc"]) or "the whole"
    wrong = "there is no such setting" if item["type"] == "extra_forbidden" else item["msg"]
    return f"{place}: {wrong.removeprefix('Value error, ')}"
