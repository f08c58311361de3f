"""The wire with a real registry behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from schemas.catalogue import raw_schema
from schemas.journal import Wake
from schemas.wire import RegistryUnusable, WireError
from streams.demo.servers.registry import Registry
from streams.kafka.registry import registry_wire
from streams.topics import Topics
from tests.support.plain_install import plain_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOPICS = Topics("shop")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def a_wake() -> Wake:
    return Wake(**{field["name"]: 1 for field in raw_schema("wake")["fields"]})


def test_records_are_framed_with_the_registrys_ids_and_read_by_another_worker(registry: Registry) -> None:
    written = registry_wire(registry.url, TOPICS).encode(a_wake())
    assert written[:1] == b"\x00"
    assert registry_wire(registry.url, TOPICS).decode(written) == a_wake()


def test_subjects_are_backward_compatible_and_named_as_tools_expect(registry: Registry) -> None:
    registry_wire(registry.url, TOPICS)
    with SchemaRegistryClient({"url": registry.url}) as client:
        subjects = client.get_subjects()
        assert {
            "shop.triggers-value",
            "shop.triggers-touchstream.v1.Revocation",
            "shop.journal-touchstream.v1.Wake",
        } <= set(subjects)
        assert client.get_compatibility("shop.triggers-value") == "BACKWARD"


def test_an_id_that_is_no_record_of_ours_is_a_wire_error(registry: Registry) -> None:
    wire = registry_wire(registry.url, TOPICS)
    other = {"type": "record", "name": "Other", "namespace": "elsewhere", "fields": []}
    with SchemaRegistryClient({"url": registry.url}) as client:
        number = client.register_schema("other-value", Schema(json.dumps(other), "AVRO"))
    with pytest.raises(WireError, match=r"elsewhere\.Other is none of our records"):
        wire.decode(b"\x00" + number.to_bytes(4, "big") + b"x")
    with pytest.raises(WireError, match="not in the registry"):
        wire.decode(b"\x00\x00\xff\xff\xffx")


def test_a_registry_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(RegistryUnusable, match=r"registry http://127\.0\.0\.1:9/") as raised:
        registry_wire("http://me:hush@127.0.0.1:9/apis", TOPICS)
    assert "hush" not in str(raised.value)


def test_a_worker_and_doctor_without_the_registrys_client_say_how_to_install_it(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    variables = {
        "TOUCHSTREAM_BROKERS": kafka,
        "TOUCHSTREAM_PREFIX": prefix,
        "TOUCHSTREAM_STATE_DIR": str(tmp_path),
        "TOUCHSTREAM_REGISTRY_URL": "http://127.0.0.1:9/apis",
    }
    assert plain_command("topics", "create", **variables).returncode == 0
    worker = plain_command("worker", **variables)
    assert worker.returncode == 2
    assert worker.stderr.splitlines()[-1].endswith("not installed: pip install 'touchstream[registry]'")
    doctor = plain_command("doctor", "--json", **variables)
    assert doctor.returncode == 1
    (schemas,) = [each for each in json.loads(doctor.stdout)["findings"] if each["check"] == "schemas"]
    assert schemas["status"] == "fail"
    assert schemas["seen"].endswith("pip install 'touchstream[registry]'")
