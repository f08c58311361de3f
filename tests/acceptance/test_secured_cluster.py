"""On brokers that ask for TLS, a password and grants, each role works with what `topics acls` lists, and no less."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from typer.testing import CliRunner

from streams.__main__ import app
from streams.demo.servers.server import DidNotStart
from streams.demo.worker import wait_until_idle
from streams.operations.acls import acls
from streams.operations.prefix import open_prefix
from streams.worker_settings import parse_worker
from tests.support.running import AWorker, Place
from tests.support.secured import secured
from tests.support.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.support.secured import Secured

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

PREFIX = "shop"
ROLES = acls(PREFIX)
SHOP = ("--days", "2", "--orders-per-hour", "4", "--customers", "50", "--seed", "4")
SECONDS = 20.0


class Cluster:
    """A secured broker with a user a role, and commands as one of them."""

    def __init__(self, broker: Secured) -> None:
        self.broker = broker
        self.users = {role: broker.user(role, granted) for role, granted in ROLES.items()}
        self.users["stranger"] = broker.user("stranger")

    def variables(self, user: str, **given: str) -> dict[str, str]:
        settings = {"brokers": self.broker.bootstrap, "prefix": PREFIX, **self.users[user], **given}
        return {f"TOUCHSTREAM_{name.upper()}": value for name, value in settings.items()}

    def run(self, user: str, *arguments: str, **given: str) -> Result:
        deciding = {"TOUCHSTREAM_DOMAIN_CLOCK": "marks", "TOUCHSTREAM_DOMAIN_CONSENT_DEFAULT": "granted"}
        result: Any = CliRunner().invoke(app, list(arguments), env=deciding | self.variables(user, **given))
        return result  # type: ignore[no-any-return]

    def refused(self, user: str, *arguments: str, **given: str) -> str:
        result = self.run(user, *arguments, **given)
        assert result.exit_code == 2, result.output
        (line,) = result.stderr.splitlines()
        return line

    def worker(self, user: str, folder: Path) -> AWorker:
        settings = parse_worker(self.variables(user))
        return AWorker(Place(settings, open_prefix(settings).domain, folder), **self.users[user])

    def delivered(self, user: str, topic: str) -> str | None:
        """The error's name where a record is not taken."""
        settings = parse_worker(self.variables(user))
        producer = Producer({**settings.kafka, "bootstrap.servers": settings.brokers})
        errors: list[KafkaError | None] = []
        producer.produce(f"{PREFIX}.{topic}", b"", on_delivery=lambda error, _: errors.append(error))
        producer.flush(SECONDS)
        return errors[0].name() if errors[0] else None

    def read(self, user: str, topic: str) -> str | None:
        """The error's name where a member of the subscribers' group may not read."""
        settings = parse_worker(self.variables(user))
        consumer = Consumer(
            {
                **settings.kafka,
                "bootstrap.servers": settings.brokers,
                "group.id": f"{PREFIX}.subscriber",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        try:
            consumer.subscribe([f"{PREFIX}.{topic}"])
            message = consumer.poll(SECONDS)
        finally:
            consumer.close()
        assert message is not None
        error = message.error()
        return None if error is None or error.name() == "_PARTITION_EOF" else error.name()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With the prefix made by its admin."""
    with secured(tmp_path_factory.mktemp("secured")) as broker:
        made = Cluster(broker)
        created = made.run("admin", "topics", "create")
        assert created.exit_code == 0, created.output
        yield made


def test_a_replay_goes_through_a_worker_with_no_more_than_the_listed_grants(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "shop.avro"
    assert cluster.run("worker", "generate", str(file), *SHOP).exit_code == 0
    with cluster.worker("worker", tmp_path) as worker:
        replayed = cluster.run("worker", "replay", str(file), "--json")
        assert replayed.exit_code == 0, replayed.output
        assert json.loads(replayed.stdout)["touchpoints"] > 0
        prefix = open_prefix(parse_worker(cluster.variables("worker")))
        wait_until_idle(prefix.settings, prefix.domain)
        worker.stop()
        assert worker.exit_code == 0
    verified = cluster.run("worker", "verify")
    assert verified.exit_code == 0, verified.output
    assert verified.stdout.splitlines()[-1].endswith("records of the journal read: no difference")
    log = worker.log.read_text("utf-8")
    assert "password-of-worker" not in log
    assert "authorization" not in log.lower()


def test_the_admin_may_read_everything_and_a_worker_learns_what_it_may_not(cluster: Cluster, tmp_path: Path) -> None:
    state = {"state_dir": str(tmp_path)}
    examined = cluster.run("admin", "doctor", **state)
    assert examined.exit_code == 0, examined.output
    assert "may not" not in examined.stdout
    examined = cluster.run("worker", "doctor", "--json", **state)
    hidden = {each["check"]: each for each in json.loads(examined.stdout)["findings"] if "may not" in each["seen"]}
    assert set(hidden) == {"broker settings", "topics"}
    assert {each["status"] for each in hidden.values()} == {"warn"}
    assert "touchstream topics acls" in hidden["topics"]["advice"]


def test_a_stranger_learns_that_they_may_see_nothing(cluster: Cluster) -> None:
    said = cluster.refused("stranger", "worker")
    assert "prefix shop has no topics or no settings" in said
    assert "or allow this user to see them (`touchstream topics acls`)" in said


def test_a_worker_may_not_make_topics(cluster: Cluster) -> None:
    said = cluster.refused("worker", "topics", "create", prefix="other")
    assert said == "touchstream: topic other.touchpoints cannot be created: Authorization failed."


def test_a_wrong_password_is_told_at_once_and_not_shown(cluster: Cluster, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("hush\n")
    said = cluster.refused("worker", "explain", "1", kafka_sasl_password_file=str(wrong))
    assert "accepts the connection" in said
    assert "SASL authentication error" in said
    assert "hush" not in said


@pytest.fixture
def oauth(cluster: Cluster, tmp_path: Path) -> Iterator[dict[str, str]]:
    """As the guide has it, but for the token's address."""
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    with Tokens({"worker": "hush"}) as tokens:
        yield {
            "kafka_security_protocol": "SASL_SSL",
            "kafka_ssl_ca_location": cluster.users["worker"]["kafka_ssl_ca_location"],
            "kafka_sasl_mechanism": "OAUTHBEARER",
            "kafka_sasl_oauthbearer_method": "oidc",
            "kafka_sasl_oauthbearer_token_endpoint_url": tokens.url,
            "kafka_sasl_oauthbearer_client_id": "worker",
            "kafka_sasl_oauthbearer_client_secret_file": str(secret),
        }


def test_a_worker_comes_in_with_a_token(cluster: Cluster, oauth: dict[str, str], tmp_path: Path) -> None:
    cluster.users["by-token"] = oauth
    with cluster.worker("by-token", tmp_path) as worker:
        worker.stop()
        assert worker.exit_code == 0
    assert "hush" not in worker.log.read_text("utf-8")


def test_a_client_without_a_token_is_told(cluster: Cluster, oauth: dict[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    cluster.users["no-token"] = {**oauth, "kafka_sasl_oauthbearer_client_secret_file": str(wrong)}
    said = cluster.refused("no-token", "explain", "1")
    assert "accepts the connection" in said
    assert "guess" not in said


def test_a_certificate_of_an_unknown_authority_is_told(cluster: Cluster) -> None:
    said = cluster.refused("worker", "explain", "1", kafka_ssl_ca_location="/etc/ssl/certs/ca-certificates.crt")
    assert "certificate could not be verified" in said


def test_a_port_that_speaks_another_protocol_is_told(cluster: Cluster) -> None:
    said = cluster.refused("worker", "explain", "1", kafka_security_protocol="PLAINTEXT")
    assert "does that port use PLAINTEXT (TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL)?" in said


@pytest.mark.parametrize(
    ("resource", "said"),
    [("group", "Group authorization failed"), ("transactional-id", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED")],
)
def test_a_worker_without_one_of_its_grants_ends_and_says_which(
    cluster: Cluster, tmp_path: Path, resource: str, said: str
) -> None:
    lacking = [acl for acl in ROLES["worker"] if acl.resource != resource]
    assert len(lacking) == len(ROLES["worker"]) - 1
    cluster.users[f"no-{resource}"] = cluster.broker.user(f"no-{resource}", lacking)
    with pytest.raises(DidNotStart, match="ended with exit code 1"):
        cluster.worker(f"no-{resource}", tmp_path).start()
    assert said in (tmp_path / "0" / "worker.log").read_text("utf-8")


def test_a_producer_may_write_touchpoints_and_nothing_else(cluster: Cluster) -> None:
    assert cluster.delivered("producer", "touchpoints") is None
    assert cluster.delivered("producer", "journal") == "TOPIC_AUTHORIZATION_FAILED"


def test_a_subscriber_may_read_triggers_and_nothing_else(cluster: Cluster) -> None:
    assert cluster.read("subscriber", "triggers") is None
    assert cluster.read("subscriber", "journal") == "TOPIC_AUTHORIZATION_FAILED"
    assert cluster.delivered("subscriber", "triggers") == "TOPIC_AUTHORIZATION_FAILED"
