"""A Confluent-compatible schema registry: our schemas in it, and writers' schemas by their ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import fastavro
from cachetools import TTLCache
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.catalogue import RECORDS, raw_schema
from schemas.wire import Wire

if TYPE_CHECKING:
    from streams.topics import Topics

COMPATIBILITY = ServerConfig(compatibility=ConfigCompatibilityLevel.BACKWARD)
ONLY_TYPE_OF = {
    "trigger": "triggers",
    "decision": "decisions",
    "credit": "credits",
    "segment_changed": "segments",
    "profile": "profiles",
    "dead_letter": "dead_letters",
    "kpi": "kpis",
    "anomaly": "anomalies",
    "model": "models",
}
"""Records that have a topic to themselves; the topics of the others hold several types."""

_NOT_FOUND = 404
_UNKNOWN_KEPT = 10_000
_UNKNOWN_SECONDS = 60.0


class RegistryUnusable(Exception):
    """The registry does not answer, or refuses a schema; the message names both."""


def subject_of(name: str, topics: Topics) -> str:
    """The record's subject: `<topic>-value` where a topic holds nothing else, its full name otherwise.

    The first is the TopicNameStrategy, which stock deserialisers expect; the second the RecordNameStrategy.
    """
    if name in ONLY_TYPE_OF:
        return f"{getattr(topics, ONLY_TYPE_OF[name])}-value"
    return _full_name(raw_schema(name))


def registry_wire(url: str, topics: Topics) -> Wire:
    """A codec that writes the Confluent framing with that registry's ids, after registering every schema; blocks.

    Each subject's compatibility is set to BACKWARD, as a registry's default may be another.

    Raises:
        RegistryUnusable: no registry answers at `url`, or it refuses one of our schemas.
    """
    registry = _Registry(url)
    return Wire({name: registry.register(name, subject_of(name, topics)) for name in RECORDS}, registry.schema_of)


class _Registry:
    def __init__(self, url: str) -> None:
        self._url = url
        self._client = SchemaRegistryClient({"url": url})
        self._names = {_full_name(raw_schema(name)): name for name in RECORDS}
        # a producer that sends rubbish would have us ask for each of its records
        self._unknown: TTLCache[int, str] = TTLCache(_UNKNOWN_KEPT, _UNKNOWN_SECONDS)

    def register(self, name: str, subject: str) -> int:
        """The id of our schema of that record."""
        schema = Schema(json.dumps(raw_schema(name)), "AVRO")
        try:
            # before a new version, so that it is judged; a registry may know of no rule for a subject yet to come
            is_ruled = self._rule(subject)
            number = self._client.register_schema(subject, schema)
            if not is_ruled:
                self._client.set_config(subject, COMPATIBILITY)
        except SchemaRegistryError as error:
            raise RegistryUnusable(f"registry {self._url} refuses subject {subject}: {error.error_message}") from None
        except Exception as error:
            raise RegistryUnusable(f"registry {self._url} cannot be used: {error}") from error
        return int(number)

    def schema_of(self, number: int) -> tuple[str, dict[str, Any]]:
        """(record name, writer's schema) of an id; LookupError: no such id, or no record of ours."""
        if number in self._unknown:
            raise LookupError(self._unknown[number])
        try:
            return self._asked(number)
        except LookupError as error:
            self._unknown[number] = str(error)
            raise

    def _asked(self, number: int) -> tuple[str, dict[str, Any]]:
        try:
            text = self._client.get_schema(number).schema_str
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                raise LookupError(f"not in the registry {self._url}") from None
            raise
        try:
            schema: dict[str, Any] = json.loads(text)
            name = self._names[_full_name(schema)]
            fastavro.parse_schema(schema)
        except Exception as error:
            raise LookupError(f"in the registry, but no schema of our records: {type(error).__name__}") from error
        return name, schema

    def _rule(self, subject: str) -> bool:
        try:
            self._client.set_config(subject, COMPATIBILITY)
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return False
            raise
        return True


def _full_name(schema: dict[str, Any]) -> str:
    return f"{schema['namespace']}.{schema['name']}"
