"""The demo: it replays real data through a real Kafka and a worker, run after run, and reports the results."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from rich.console import Console
from rich.markup import escape

from schemas.container import SUFFIX
from schemas.wire import SINGLE_OBJECT
from streams.demo.finished import Finished, write_summary
from streams.demo.replaying import TooSlow, WorkerEnded, replayed
from streams.demo.report.accounting import account_of, balances
from streams.demo.report.reading import read_records
from streams.demo.report.runs import HALF_YEAR, NAMES, planned
from streams.demo.report.table import show
from streams.demo.servers.broker import Broker
from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.places import data_dir
from streams.demo.servers.server import DidNotStart, Server
from streams.demo.worker import StillBusy, Worker, wait_until_idle
from streams.kafka.reader import read_committed
from streams.kafka.topics import WrongTopics
from streams.operations.create import create_prefix
from streams.replay.barrier import SilentStage
from streams.replay.files.rows import ColumnFileError
from streams.replay.files.sources import lines_in
from streams.replay.outlet import Undeliverable
from streams.settings import SettingsError
from streams.topics import Topics
from streams.worker_settings import parse_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    from streams.demo.report.runs import Run
    from streams.worker_settings import WorkerSettings

AfterRun = Callable[[str, str, str], None]
"""(prefix, brokers, name of the run): called while the run's topics and its worker still exist."""


class Failed(RuntimeError):
    """The demo failed; the message says where."""


_QUIET = {"log_level": "3"}
"""Settings of librdkafka in this process: a warning between two progress bars helps nobody."""
_SHOP_SECONDS = 120.0
_EXPECTED = (
    Failed,
    TooSlow,
    WorkerEnded,
    SilentStage,
    StillBusy,
    DidNotStart,
    Unavailable,
    Undeliverable,
    ColumnFileError,
    SettingsError,
    WrongTopics,
    KafkaException,
)
_INTERRUPTED = 130
_LOG_WIDTH = 120
_RUNNING = "running"
"""File with the pids of processes that `keep` left running."""
FOLDERS = ("kafka", *NAMES)
FILES = (HALF_YEAR, "shop.avro", "shop.truth.json", "shop.log", "summary.json", "report.html")


def run_demo(
    *,
    keep: bool,
    out: Path,
    brokers: str | None = None,
    after_run: AfterRun | None = None,
    console: Console | None = None,
) -> int:
    """Play every run, write summary.json and report.html into `out` and print a table; clear `out` before.

    With `keep` the broker and the last run's worker stay, and their addresses are printed. `brokers` is a cluster of
    the caller's own, in place of a broker started here. The exit code is 0 if every account balances, else 1.

    An error is shown in one sentence, with exit code 1. An interrupt ends everything that was started, with 130.
    """
    console = console or _console()
    try:
        return _play_all(out.resolve(), brokers, console, after_run or (lambda *_: None), keep=keep)
    except KeyboardInterrupt:
        console.print("Interrupted. Everything that the demo had started has ended.")
        return _INTERRUPTED
    except _EXPECTED as error:
        console.print(f"[bold red]The demo failed:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 1


def _play_all(out: Path, brokers: str | None, console: Console, after_run: AfterRun, *, keep: bool) -> int:
    _clear(out)
    with ExitStack() as stack:
        demo = _Demo(out, console, stack, keep=keep, after_run=after_run)
        demo.start(brokers)
        finished = [demo.play(run) for run in demo.runs]
        problems = [f"{each.run.title}: {problem}" for each in finished for problem in balances(each.account)]
        _report(finished, out, console)
        for problem in problems:
            console.print(f"[bold red]Does not add up:[/] {problem}")
        if keep:
            stack.pop_all()
            demo.tell_addresses()
    return 1 if problems else 0


class _Demo:
    def __init__(self, out: Path, console: Console, stack: ExitStack, *, keep: bool, after_run: AfterRun) -> None:
        self._out = out
        self._console = console
        self._stack = stack
        self._keep = keep
        self._after_run = after_run
        self._brokers = ""
        self._pids: list[int] = []
        self._worker: Worker | None = None
        self._started = int(time.time())
        shop = out / f"shop{SUFFIX}"
        self.runs = planned(data_dir(), shop)
        # written while the earlier runs are played
        command = [sys.executable, "-m", "streams", "generate", str(shop)]
        self._shop = Server(command, out / "shop.log")
        stack.callback(self._shop.stop)

    def start(self, brokers: str | None) -> None:
        if brokers is None:
            with self._console.status("starting Apache Kafka"):
                broker = self._stack.enter_context(Broker(self._out / "kafka", outlives_us=self._keep))
            self._pids += [broker.pid] if broker.pid else []
            brokers = broker.bootstrap
        self._brokers = brokers
        self._console.print(f"Kafka at {brokers}")
        self._console.print(
            "Setting of the demo: consent_default=granted, so customers without a consent record get messages"
        )

    def play(self, run: Run) -> Finished:
        if run.is_generated:
            self._await_shop(run)
        prefix = f"demo-{self._started}-{run.name}"
        settings = parse_worker(brokers=self._brokers, prefix=prefix, registry_url="", kafka=_QUIET)
        folder = self._out / run.name
        folder.mkdir()
        keep = self._keep and run is self.runs[-1]
        create_prefix(settings, run.domain)
        worker = Worker(settings, folder, outlives_us=keep)
        with ExitStack() as stack:
            stack.enter_context(worker)
            lines = lines_in(run.path)
            summary = replayed(run, settings, worker, lines, self._console)
            wait_until_idle(settings, run.domain)
            records = read_records(_reading(settings), Topics(settings.prefix), SINGLE_OBJECT)
            account = account_of(records, summary, lines, run.domain.reporting_currency)
            self._after_run(settings.prefix, settings.brokers, run.name)
            if keep:
                self._stack.push(stack.pop_all())
                self._worker, self._pids = worker, [*self._pids, *([worker.pid] if worker.pid else [])]
        if not keep and worker.exit_code != 0:
            raise Failed(f"{run.title}: the worker ended with exit code {worker.exit_code}:\n{worker.log_tail()}")
        return Finished(run, settings.prefix, summary, account, records)

    def tell_addresses(self) -> None:
        worker = self._worker
        (self._out / _RUNNING).write_text("\n".join(map(str, self._pids)))
        for name, address in (
            ("Kafka", self._brokers),
            ("metrics", f"{worker.address}/metrics" if worker else ""),
            ("health", f"{worker.address}/health/ready" if worker else ""),
            ("report", str(self._out / "report.html")),
            ("to stop it", f"kill {' '.join(map(str, reversed(self._pids)))}"),
        ):
            self._console.print(f"{name:>10}  {address}", soft_wrap=True, highlight=False)

    def _await_shop(self, run: Run) -> None:
        with self._console.status("waiting for the simulated shop"), suppress(DidNotStart):
            self._shop.wait_until(lambda: not self._shop.running, _SHOP_SECONDS)
        if self._shop.exit_code != 0:
            raise Failed(f"{run.title}: its file could not be written:\n{self._shop.log_tail()}")


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_LOG_WIDTH)


def _reading(settings: WorkerSettings) -> Callable[[str], Iterator[Message]]:
    return lambda topic: read_committed(settings.brokers, topic, settings.kafka)


def _report(finished: list[Finished], out: Path, console: Console) -> None:
    with console.status("writing the report"):
        write_summary(finished, out / "summary.json")
        # matplotlib needs a second, which a failed run need not wait
        from streams.demo.report.report import write_report  # noqa: PLC0415

        write_report(finished, out / "report.html")
    show(finished, console)
    console.print(f"Written: {out / 'summary.json'}, {out / 'report.html'}", soft_wrap=True, highlight=False)


def _clear(out: Path) -> None:
    """Remove the files of an earlier demo in `out`, and nothing else."""
    running = out / _RUNNING
    pids = [int(line) for line in running.read_text().split()] if running.is_file() else []
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    if alive:
        pids_text = " ".join(map(str, alive))
        raise Failed(
            f"an earlier demo is still running in {out}: end it with `kill {pids_text}`, or use another folder"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in (*FOLDERS, *FILES, _RUNNING):
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
