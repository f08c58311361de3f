"""The wire with a Confluent-compatible schema registry behind it.

The only module that imports the registry's client, which the extra `registry` brings. Import it only where a registry
is named: that takes a while, and raises RegistryUnusable where the extra is not installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.catalogue import RECORDS, raw_schema
from schemas.limits import NESTING_MAX, SCHEMA_BYTES_MAX
from schemas.nesting import is_nested_deeper
from schemas.wire import RegistryUnusable, Wire

try:
    import httpx
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
except ModuleNotFoundError as missing:
    raise RegistryUnusable(
        f"TOUCHSTREAM_REGISTRY_URL is set, and the registry's client needs {missing.name}, which is not installed: "
        "pip install 'touchstream[registry]'"
    ) from missing

if TYPE_CHECKING:
    from streams.topics import Topics

TIMEOUT_SECONDS = 10.0
_NOT_FOUND = 404

# topics with one record type have the subject that every tool expects, TOPIC-value; where types are mixed, the
# subject contains the record's full name
_ALONE = {
    "trigger": "triggers",
    "decision": "decisions",
    "credit": "credits",
    "segment_changed": "segments",
    "profile": "profiles",
    "dead_letter": "dead_letters",
    "retried": "retries",
    "facts": "facts",
    "kpi": "kpis",
    "anomaly": "anomalies",
    "model": "models",
}
_INPUT = {"touchpoint", "mark"}
_REVOCATION = "revocation"


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registry holds of our schemas."""

    missing: tuple[str, ...]
    """Subjects without a schema."""
    rules: dict[str, str]
    """By subject: the rule of compatibility, or `unset`."""
    unfit: tuple[str, ...]
    """Subjects whose schema ours does not fit."""


def registry_wire(url: str, topics: Topics) -> Wire:
    """Register every record's schema, BACKWARD compatible, and return a wire that frames with the ids.

    Raises:
        RegistryUnusable: the message contains the registry's own.
    """
    registry = _Registry(url)
    with registry.client() as client:
        ids = {name: registry.register(client, subject_of(name, topics), name) for name in RECORDS}
    return Wire(ids, registry.schema_of)


def registered(url: str, topics: Topics) -> Registered:
    """Look at every record's subject, and change nothing.

    Raises:
        RegistryUnusable: with the registry's own words.
    """
    subjects = {name: subject_of(name, topics) for name in RECORDS}
    try:
        with _Registry(url).client() as client:
            known = set(client.get_subjects())
            there = {name: subject for name, subject in subjects.items() if subject in known}
            return Registered(
                missing=tuple(sorted(set(subjects.values()) - known)),
                rules={subject: _rule(client, subject) for subject in there.values()},
                unfit=tuple(sorted(subject for name, subject in there.items() if not _fits(client, subject, name))),
            )
    except (SchemaRegistryError, httpx.HTTPError) as error:
        raise RegistryUnusable(f"registry {shown(url)}: {error}") from error


def shown(url: str) -> str:
    """Return the address without a user and password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def subject_of(name: str, topics: Topics) -> str:
    """Return the subject under which a record's schema is registered."""
    if name in _ALONE:
        return f"{getattr(topics, _ALONE[name])}-value"
    topic = topics.triggers if name == _REVOCATION else topics.touchpoints if name in _INPUT else topics.journal
    return f"{topic}-{_full_name(raw_schema(name))}"


def _full_name(schema: dict[str, Any]) -> str:
    name: str = schema["name"]
    return name if "." in name or "namespace" not in schema else f"{schema['namespace']}.{name}"


class _Registry:
    def __init__(self, url: str) -> None:
        self._url = url
        self._shown = shown(url)
        self._names = {_full_name(raw_schema(name)): name for name in RECORDS}

    def client(self) -> SchemaRegistryClient:
        # one for each request: they are few, and an idle client would keep a connection
        return SchemaRegistryClient({"url": self._url, "timeout": TIMEOUT_SECONDS})

    def register(self, client: SchemaRegistryClient, subject: str, name: str) -> int:
        schema = Schema(json.dumps(raw_schema(name)), "AVRO")
        try:
            known = _is_known(client, subject)
            if known:
                client.set_compatibility(subject, "BACKWARD")
            number: int = client.register_schema(subject, schema)
            if not known:
                # a subject has no rule of its own before it has a schema
                client.set_compatibility(subject, "BACKWARD")
        except (SchemaRegistryError, httpx.HTTPError) as error:
            raise RegistryUnusable(f"registry {self._shown}, schema {name}, subject {subject}: {error}") from error
        return number

    def schema_of(self, number: int) -> tuple[str, dict[str, Any]]:
        """Return the record name and the writer's schema of an id; LookupError if it is not one of our records."""
        try:
            with self.client() as client:
                text: str = client.get_schema(number).schema_str
        except SchemaRegistryError as error:
            if error.http_status_code != _NOT_FOUND:
                raise RegistryUnusable(f"registry {self._shown}, schema id {number}: {error}") from error
            raise LookupError("not in the registry") from error
        except httpx.HTTPError as error:
            raise RegistryUnusable(f"registry {self._shown}, schema id {number}: {error}") from error
        schema = _parsed(text)
        full_name = _full_name(schema) if "name" in schema else "no record"
        if full_name not in self._names:
            raise LookupError(f"{full_name} is none of our records")
        return self._names[full_name], schema


def _parsed(text: str) -> dict[str, Any]:
    """Parse a schema's text, which anyone with a grant for the registry may have written; raises LookupError."""
    if len(text) > SCHEMA_BYTES_MAX or is_nested_deeper(text.encode(), NESTING_MAX):
        raise LookupError(f"it has more than {SCHEMA_BYTES_MAX} characters, or more than {NESTING_MAX} levels")
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise LookupError(f"it is no JSON: {error}") from None
    return schema if isinstance(schema, dict) else {}


def _is_known(client: SchemaRegistryClient, subject: str) -> bool:
    try:
        return bool(client.get_versions(subject))
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return False
        raise


def _rule(client: SchemaRegistryClient, subject: str) -> str:
    try:
        return str(client.get_compatibility(subject))
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return "unset"
        raise


def _fits(client: SchemaRegistryClient, subject: str, name: str) -> bool:
    return bool(client.test_compatibility(subject, Schema(json.dumps(raw_schema(name)), "AVRO")))
