"""What others write to a prefix and read from it, as an AsyncAPI 3.0 document (asyncapi.com/docs/reference)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import yaml

from schemas.catalogue import raw_schema, single_object_header
from streams.settings import DomainSettings
from streams.topics import specs

_ABOUT = """\
Values are Avro. A record begins with the two bytes C3 01 and the eight of its schema's fingerprint (Avro's
single-object encoding; x-single-object-header of each message has all ten), and then is the plain binary form. Where
the workers have a schema registry it begins with 00 and the registry's four-byte id instead. Keys are UTF-8,
partitioned by murmur2 (librdkafka: partitioner=murmur2_random).

Effects are written in transactions: read with isolation.level=read_committed. Ids derive from causes, so that a
record that comes again (where the guarantee is at_least_once) has the id that it had. Records with the header
`copied` repeat, after `touchstream repartition`, what the prefix before it said.

Times are milliseconds since 1970 UTC, on the prefix's clock; money is in minor units of a currency."""

_TRIGGERS = """\
Messages to be sent to customers: a subscriber sends each by its `channel`, not before `due_ms` and not after
`expires_ms`, and one `trigger_id` once; not at all if a revocation of that id, under the same key, comes before it is
due. What becomes of a message comes back as touchpoints (email_delivered, email_opened, email_clicked, ...) with the
trigger_id as message.message_id, and flow_id, flow_version and arm as the trigger has them.
deploy/examples/subscriber.py does all of it."""


class _Channel(NamedTuple):
    topic: str
    action: Literal["send", "receive"]
    """As touchstream sees it."""
    records: tuple[str, ...]
    """By their schema files."""
    key: str
    about: str


_CUSTOMER = "u:<user_id>, or a:<anonymous_id> while no user is known."
_CHANNELS = (
    _Channel(
        "touchpoints",
        "receive",
        ("touchpoint", "mark"),
        "u:<user_id>, a:<anonymous_id>, o:<order_id> of a guest, e:<email_hash> or s:<channel> of spend; a mark: none.",
        "What customers do. One event_id is folded once for each customer, however often it is written.",
    ),
    _Channel("triggers", "send", ("trigger", "revocation"), _CUSTOMER, _TRIGGERS),
    _Channel(
        "decisions",
        "send",
        ("decision",),
        _CUSTOMER,
        "Every yes and no to a candidate of a flow, with reason and evidence. Of one candidate_id one record is final.",
    ),
    _Channel(
        "segments",
        "send",
        ("segment_changed",),
        _CUSTOMER,
        "Moves to another RFM segment, by an event or by time alone.",
    ),
    _Channel(
        "profiles",
        "send",
        ("profile",),
        _CUSTOMER,
        "The last record of a key holds; one without a value withdraws the profile, which another has taken in.",
    ),
    _Channel(
        "credits",
        "send",
        ("credit",),
        _CUSTOMER,
        "Rows of the attribution ledger: their sum holds, none is overwritten.",
    ),
    _Channel(
        "kpis",
        "send",
        ("kpi",),
        "name|grain|by",
        "Figures of closed windows; of one window the highest revision holds.",
    ),
    _Channel("anomalies", "send", ("anomaly",), "kpi", "KPIs that leave their expected range, and that come back."),
    _Channel("models", "send", ("model",), "kind", "Models as published; the last record of a key holds."),
    _Channel(
        "dead_letters",
        "send",
        ("dead_letter",),
        "That of the record which could not be used.",
        "Records that could not be used, as they came, unhashed addresses among them: restrict who may read it.",
    ),
)


def document() -> dict[str, Any]:
    """The document as a mapping; schemas and topic settings are those of this release."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "touchstream",
            "version": version("touchstream"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "avro/binary",
        "servers": {
            "kafka": {
                "host": "{brokers}",
                "protocol": "kafka",
                "variables": {"brokers": {"default": "localhost:9092", "description": "TOUCHSTREAM_BROKERS"}},
            }
        },
        "channels": {channel.topic: _channel(channel) for channel in _CHANNELS},
        "operations": {channel.topic: _operation(channel) for channel in _CHANNELS},
        "components": {
            "messages": {name: _message(name, channel.key) for channel in _CHANNELS for name in channel.records},
            "parameters": {"prefix": {"description": "TOUCHSTREAM_PREFIX, which begins the names of all topics."}},
        },
    }


def document_text() -> str:
    """YAML of the document, as deploy/asyncapi.yaml holds it."""
    return yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _value: object) -> bool:
        return True  # a schema that stands in two places is written twice


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _channel(channel: _Channel) -> dict[str, Any]:
    name = channel.topic.replace("_", "-")
    (spec,) = (spec for spec in specs("", DomainSettings()) if spec.name == f".{name}")
    configuration: dict[str, Any] = {}
    if "cleanup.policy" in spec.config:
        configuration["cleanup.policy"] = [spec.config["cleanup.policy"]]
    if "retention.ms" in spec.config:
        configuration["retention.ms"] = int(spec.config["retention.ms"])
    described: dict[str, Any] = {
        "address": f"{{prefix}}.{name}",
        "description": channel.about,
        "parameters": {"prefix": {"$ref": "#/components/parameters/prefix"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.records},
    }
    if configuration:
        described["bindings"] = {"kafka": {"topicConfiguration": configuration, "bindingVersion": "0.5.0"}}
    return described


def _operation(channel: _Channel) -> dict[str, Any]:
    return {"action": channel.action, "channel": {"$ref": f"#/channels/{channel.topic}"}}


def _message(name: str, key: str) -> dict[str, Any]:
    schema = raw_schema(name)
    return {
        "name": f"{schema['namespace']}.{schema['name']}",
        "summary": schema["doc"],
        "contentType": "avro/binary",
        "payload": {"schemaFormat": "application/vnd.apache.avro+json;version=1.9.0", "schema": schema},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": "0.5.0"}},
        "x-single-object-header": single_object_header(schema).hex(" ").upper(),
    }
