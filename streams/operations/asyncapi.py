"""The topics that others write and read, as an AsyncAPI 3.0 document (asyncapi.com/docs/reference)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import yaml

from schemas.catalogue import raw_schema, single_object_header
from streams.settings import DomainSettings
from streams.topics import specs

_ABOUT = """\
Values are Avro in the single-object encoding: the two bytes C3 01, the eight bytes of the schema's fingerprint, then
Avro's binary form. x-single-object-header of each message has these ten bytes. Where the workers have a schema
registry, a value begins with 00 and the registry's four-byte id instead. Keys are UTF-8 and partitioned by murmur2
(librdkafka: partitioner=murmur2_random).

Records are written in transactions: read with isolation.level=read_committed. With the guarantee at_least_once a
record may come twice. Then it has the same id, because ids derive from causes. After `touchstream repartition`,
records with the header `copied` repeat records of the earlier prefix.

Times are milliseconds since 1970 UTC, by the prefix's clock. Money is in minor units of a currency, such as cents."""

_TRIGGERS = """\
Messages to send to customers. A subscriber sends each by its `channel`, not before `due_ms` and not after
`expires_ms`. It sends each `trigger_id` once. It does not send a message at all if a revocation of its id, under the
same key, arrives before the message is due. Answers to a message come back as touchpoints (email_delivered,
email_opened, email_clicked, ...). Their message.message_id is the trigger_id, and their flow_id, flow_version and arm
are those of the trigger. deploy/examples/subscriber.py does all of this."""


class _Channel(NamedTuple):
    topic: str
    action: Literal["send", "receive"]
    """What touchstream does with it."""
    records: tuple[str, ...]
    """Names of their schema files."""
    key: str
    about: str


_CUSTOMER = "u:<user_id>, or a:<anonymous_id> while no user is known."
_CHANNELS = (
    _Channel(
        "touchpoints",
        "receive",
        ("touchpoint", "mark"),
        "u:<user_id>, a:<anonymous_id>, o:<order_id> of a guest, e:<email_hash> or s:<channel> of spend; a mark: none.",
        "Things that customers did or received. Each event_id counts once for each customer, even if it is repeated.",
    ),
    _Channel("triggers", "send", ("trigger", "revocation"), _CUSTOMER, _TRIGGERS),
    _Channel(
        "decisions",
        "send",
        ("decision",),
        _CUSTOMER,
        "Every decision to send a message of a flow or not, with its reason and evidence. "
        "Each candidate_id has exactly one final record.",
    ),
    _Channel(
        "segments",
        "send",
        ("segment_changed",),
        _CUSTOMER,
        "Customers who moved to another RFM segment, by an event or because time passed.",
    ),
    _Channel(
        "profiles",
        "send",
        ("profile", "profile_merged", "profile_divided"),
        _CUSTOMER,
        "The last record of a key is the current one. A record without a value: a device's profile was merged into its "
        "user's. A ProfileMerged: a user's was merged into another user's. A "
        "ProfileDivided: that was undone, and the user's own profile follows.",
    ),
    _Channel(
        "credits",
        "send",
        ("credit",),
        _CUSTOMER,
        "Rows of the attribution ledger. Add them up: none is ever overwritten.",
    ),
    _Channel(
        "kpis",
        "send",
        ("kpi",),
        "name|grain|by",
        "KPIs of hours, days and weeks that have closed. The highest revision of a window is the current one.",
    ),
    _Channel("anomalies", "send", ("anomaly",), "kpi", "KPIs that leave their expected range, or return to it."),
    _Channel("models", "send", ("model",), "kind", "Published models. The last record of a key is the current one."),
    _Channel(
        "dead_letters",
        "send",
        ("dead_letter",),
        "The key of the record that could not be used.",
        "Records that could not be used, as they arrived. They may contain e-mail addresses: restrict who reads them.",
    ),
)


def document() -> dict[str, Any]:
    """Return the document as a mapping; schemas and topic settings are those of this release."""
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
            "parameters": {"prefix": {"description": "TOUCHSTREAM_PREFIX, the start of every topic's name."}},
        },
    }


def document_text() -> str:
    """Return the YAML of the document, as deploy/asyncapi.yaml has it."""
    return yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _value: object) -> bool:
        return True  # a schema that is used in two places is written twice


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
