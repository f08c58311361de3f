"""A real Apache Kafka of one node on this machine, for the demo and the tests."""

import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.demo.servers.fetching import cached, run
from streams.demo.servers.java import java, maven
from streams.demo.servers.server import LOCALHOST, DidNotStart, Server, free_port

KAFKA_VERSION = "4.1.1"
_POM = Path(__file__).with_name("kafka.pom.xml")
START_SECONDS = 60.0
_ATTEMPTS = 3
_CLUSTER_ID = "dG91Y2hzdHJlYW1kZW1vMQ"
_HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOG = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

# Small on purpose: few threads and coordinator partitions start fast on two cores. What else differs from the
# broker's own defaults has its reason beside it.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# a killed broker is let in again only when its former session has run out
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# topics are created explicitly; a misspelt one must not spring up
auto.create.topics.enable=false
# a dead worker's open transaction holds back its readers until the broker looks
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
# a single consumer need not wait for others to join
group.initial.rebalance.delay.ms=0
# chaos runs notice a dead worker soon
group.min.session.timeout.ms=1000
"""


def fetch_kafka(version: str = KAFKA_VERSION) -> Path:
    """Folder with the jars of that Apache Kafka, brought by Maven once; raises Unavailable."""

    def copy_jars(folder: Path) -> None:
        maven(
            "-f",
            str(_POM),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={folder}",
            f"-Dkafka.version={version}",
        )

    return cached(f"kafka-{version}", copy_jars)


class Broker:
    """A context manager: inside it a broker answers at `bootstrap`; after it the process has ended.

    A `folder` given is kept, with its records, and may be used again; otherwise a temporary one is removed at
    the end. In it are `server.properties`, `broker.log` and `data/`. `properties` go over ours; in them `{host}`,
    `{port}` and `{controller_port}` are filled in. The broker dies with the thread that started it, unless
    `outlives_us`. Raises Unavailable (no Java, no Maven) or DidNotStart.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        version: str = KAFKA_VERSION,
        properties: Mapping[str, str] | None = None,
        outlives_us: bool = False,
    ) -> None:
        self.version = version
        self._given = dict(properties or {})
        self._temporary = folder is None
        self.folder = folder.resolve() if folder else Path(tempfile.mkdtemp(prefix="touchstream-kafka-"))
        self._outlives_us = outlives_us
        self._port = 0
        self._server: Server | None = None

    @property
    def bootstrap(self) -> str:
        return f"{LOCALHOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    def start(self) -> None:
        """Come up on free ports, or on the ones that an earlier start chose."""
        if self._port:
            self._launch()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _ATTEMPTS + 1):
            self._choose_ports()
            try:
                self._launch()
            except DidNotStart:
                # between choosing a port and listening on it a neighbour may have taken it
                if attempt == _ATTEMPTS or "Address already in use" not in self._log.read_text():
                    raise
            else:
                return

    def stop(self) -> None:
        """End it in order (SIGTERM), then hard; its records stay."""
        if self._server:
            self._server.stop()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._server:
            self._server.kill()

    def restart(self) -> None:
        """Start again with the same ports and records, whether it still runs or was killed."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _log(self) -> Path:
        return self.folder / "broker.log"

    def _choose_ports(self) -> None:
        self._port = free_port()
        filled = {"host": LOCALHOST, "port": self._port, "controller_port": free_port(), "data": self.folder / "data"}
        # of two lines for one property Java takes the later
        given = "".join(f"{name}={value}\n" for name, value in self._given.items())
        self._properties.write_text((_PROPERTIES + given).format(**filled))

    def _launch(self) -> None:
        command = [java(), *_HEAP, *_LOG, "-cp", f"{fetch_kafka(self.version)}/*"]
        properties = str(self._properties)
        if not (self.folder / "data" / "meta.properties").exists():
            run([*command, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", properties])
        self._server = Server([*command, "kafka.Kafka", properties], self._log, outlives_us=self._outlives_us)
        self._server.wait_until(self._answers, START_SECONDS)

    def _answers(self) -> bool:
        # a plain connection first: librdkafka would log each of its failed ones
        with suppress(OSError, KafkaException):
            with socket.create_connection((LOCALHOST, self._port), timeout=1.0):
                pass
            client = AdminClient({"bootstrap.servers": self.bootstrap})
            return len(client.list_topics(timeout=2.0).brokers) == 1
        return False
