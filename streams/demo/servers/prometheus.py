"""Prometheus and Alertmanager from Debian's packages, unpacked without installation."""

import tempfile
from pathlib import Path

from streams.demo.servers.fetching import Unavailable, cached, run
from streams.demo.servers.http_server import HttpServer
from streams.demo.servers.server import LOCALHOST

PACKAGES = ("prometheus", "prometheus-alertmanager")


def fetch_prometheus() -> Path:
    """Return the folder with both packages unpacked, which apt fetches once; raises Unavailable."""
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
    """A Prometheus configured by `config`, with its data in `folder`/prometheus."""

    name = "prometheus"

    def command(self) -> list[str]:
        return [
            str(_program(self.name)),
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.folder / self.name}",
            f"--web.listen-address={LOCALHOST}:{self.port}",
            "--enable-feature=exemplar-storage",
            # an alert that fires before Prometheus has found Alertmanager (5 s) is not delayed by a minute
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ]


class Alertmanager(_Packaged):
    """A single Alertmanager configured by `config`, with its data in `folder`/alertmanager."""

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
    with tempfile.TemporaryDirectory() as work:
        for package in _download(Path(work)):
            run(["dpkg", "-x", str(package), str(folder)])
    for program in (folder / "usr" / "bin").glob("prometheus*"):
        _read_own_files(program)


def _read_own_files(program: Path) -> None:
    # Debian's programs look for their templates and pages where an installation would put them. A path of the same
    # length makes them look in their working folder, which is `home`.
    program.write_bytes(program.read_bytes().replace(b"/usr/share/prometheus/", b"usr//share/prometheus/"))


def _download(work: Path) -> list[Path]:
    try:
        run(["apt-get", "-q", "download", *PACKAGES], work)
    except Unavailable:
        # the machine's lists may be empty or old: fetch our own lists, which needs no rights
        lists, cache = work / "lists", work / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
        run(["apt-get", "-q", *own, "update"], work)
        run(["apt-get", "-q", *own, "download", *PACKAGES], work)
    return sorted(work.glob("*.deb"))
