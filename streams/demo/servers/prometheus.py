"""Prometheus and Alertmanager of Debian's packages, unpacked without installing."""

from pathlib import Path

from streams.demo.servers.debian import unpack_packages
from streams.demo.servers.fetching import cached
from streams.demo.servers.http_server import HttpServer
from streams.demo.servers.server import LOCALHOST

PACKAGES = ("prometheus", "prometheus-alertmanager")


def fetch_prometheus() -> Path:
    """Folder with both packages unpacked, brought by apt once; raises Unavailable."""
    return cached("prometheus", _unpack_packages)


def promtool() -> Path:
    """Return the checker of Prometheus' configuration and rules; raises Unavailable."""
    return _program("promtool")


def amtool() -> Path:
    """Return the checker of Alertmanager's configuration; raises Unavailable."""
    return _program("amtool")


class _Packaged(HttpServer):
    ready_path = "/-/ready"

    def __init__(self, config: Path, folder: Path, *, port: int | None = None, outlives_us: bool = False) -> None:
        super().__init__(folder, port=port, outlives_us=outlives_us)
        self.config = config.resolve()

    def home(self) -> Path:
        return fetch_prometheus()


class Prometheus(_Packaged):
    """Scrapes and evaluates as `config` says; its data are in `folder`/prometheus."""

    name = "prometheus"

    def command(self) -> list[str]:
        return [
            str(_program(self.name)),
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.folder / self.name}",
            f"--web.listen-address={LOCALHOST}:{self.port}",
            "--enable-feature=exemplar-storage",
            # an alert that fires before Prometheus has found Alertmanager (5 s) is not lost for a minute
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ]


class Alertmanager(_Packaged):
    """Routes alerts as `config` says, alone; its data are in `folder`/alertmanager."""

    name = "alertmanager"

    def command(self) -> list[str]:
        return [
            str(_program("prometheus-alertmanager")),
            f"--config.file={self.config}",
            f"--storage.path={self.folder / self.name}",
            f"--web.listen-address={LOCALHOST}:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]


def _program(name: str) -> Path:
    return fetch_prometheus() / "usr" / "bin" / name


def _unpack_packages(folder: Path) -> None:
    unpack_packages(PACKAGES, folder)
    for program in (folder / "usr" / "bin").glob("prometheus*"):
        _read_own_files(program)


def _read_own_files(program: Path) -> None:
    # Debian's programs look for their templates and pages where an installation would put them. A path of the
    # same length makes them look in the folder they run in, which is `home`.
    program.write_bytes(program.read_bytes().replace(b"/usr/share/prometheus/", b"usr//share/prometheus/"))
