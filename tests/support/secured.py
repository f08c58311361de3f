"""A real broker that lets in only over TLS with a password, and then only to what a principal was granted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.demo.servers.broker import Broker
from streams.demo.servers.fetching import run
from streams.demo.servers.server import LOCALHOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streams.operations.acls import Acl

_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Secured:
    """A broker with two doors: `broker.bootstrap`, for its owner, and `bootstrap`, for everybody else."""

    broker: Broker
    bootstrap: str
    folder: Path

    def user(self, name: str, granted: Sequence[Acl] = ()) -> dict[str, str]:
        """A new user, and the settings of librdkafka (by name in a variable) with which they connect."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        password = f"password-of-{name}"
        upsertion = UserScramCredentialUpsertion(
            name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password.encode()
        )
        for answer in admin.alter_user_scram_credentials([upsertion]).values():
            answer.result(_SECONDS)
        bindings = [_binding(name, acl, operation) for acl in granted for operation in acl.operations]
        for answer in (admin.create_acls(bindings) if bindings else {}).values():
            answer.result(_SECONDS)
        file = self.folder / f"{name}.password"
        file.write_text(f"{password}\n")
        return {
            "kafka_security_protocol": "SASL_SSL",
            "kafka_ssl_ca_location": str(self.folder / "ca.pem"),
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": name,
            "kafka_sasl_password_file": str(file),
        }


def _binding(user: str, acl: Acl, operation: str) -> AclBinding:
    resource = {
        "topic": ResourceType.TOPIC,
        "group": ResourceType.GROUP,
        "transactional-id": ResourceType.TRANSACTIONAL_ID,
        "cluster": ResourceType.BROKER,
    }[acl.resource]
    pattern = ResourcePatternType.PREFIXED if acl.is_prefixed else ResourcePatternType.LITERAL
    allowed = {
        "Create": AclOperation.CREATE,
        "Read": AclOperation.READ,
        "Write": AclOperation.WRITE,
        "Describe": AclOperation.DESCRIBE,
        "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
        "AlterConfigs": AclOperation.ALTER_CONFIGS,
    }[operation]
    return AclBinding(resource, acl.name, pattern, f"User:{user}", "*", allowed, AclPermissionType.ALLOW)


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """Running; certificates and passwords are in `folder`."""
    _make_certificates(folder)
    port = free_port()
    doors = "PLAINTEXT://{host}:{port},SASL_SSL://{host}:" + str(port)
    properties = {
        "listeners": doors + ",CONTROLLER://{host}:{controller_port}",
        "advertised.listeners": doors,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        # Kafka's own validator for trials: it takes tokens that nobody signed
        "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "server.pem"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        # a client without a name is the test itself, or the broker at its controller
        "super.users": "User:ANONYMOUS",
    }
    with Broker(properties=properties) as broker:
        yield Secured(broker, f"{LOCALHOST}:{port}", folder)


def _make_certificates(folder: Path) -> None:
    """An authority of our own, ca.pem, and what the server shows, server.pem."""
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    run([*new, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"], folder)
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName=IP:{LOCALHOST}"]
    run([*new, "-subj", "/CN=broker", *signed, "-keyout", "server.key", "-out", "server.crt"], folder)
    (folder / "server.pem").write_text("".join((folder / f"server.{kind}").read_text() for kind in ("key", "crt")))
