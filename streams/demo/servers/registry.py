"""A real schema registry: Apicurio, with the Confluent protocol."""

from pathlib import Path

from streams.demo.servers.fetching import cached, run
from streams.demo.servers.http_server import HttpServer
from streams.demo.servers.java import java, maven
from streams.demo.servers.server import LOCALHOST

APICURIO_VERSION = "2.6.13.Final"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


def fetch_registry() -> Path:
    """Return the folder with the unpacked registry, which Maven fetches once; raises Unavailable."""
    return cached(f"apicurio-{APICURIO_VERSION}", _unpack_archive)


class Registry(HttpServer):
    """A registry with schemas in memory only; its compatibility rule is NONE until one is set."""

    name = "registry"
    ready_path = "/apis/ccompat/v7/subjects"

    @property
    def url(self) -> str:
        """Return the `url` for a client of the Confluent registry."""
        return f"{self.address}/apis/ccompat/v7"

    def command(self) -> list[str]:
        program = fetch_registry() / f"apicurio-registry-app-{APICURIO_VERSION}-runner.jar"
        return [
            java(),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dquarkus.http.host={LOCALHOST}",
            f"-Dquarkus.http.port={self.port}",
            "-jar",
            str(program),
        ]


def _unpack_archive(folder: Path) -> None:
    artifact = f"io.apicurio:apicurio-registry-app:{APICURIO_VERSION}:tar.gz:all"
    maven(_COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}", folder=folder)
    archive = folder / f"apicurio-registry-app-{APICURIO_VERSION}-all.tar.gz"
    run(["tar", "-xzf", archive.name], folder)
    archive.unlink()
