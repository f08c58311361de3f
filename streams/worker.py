"""A worker: the app with its pages, run until SIGTERM."""

from __future__ import annotations

import os
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from schemas.zones import TZDATA, release_of
from streams.app import build
from streams.engine.clients import Clients
from streams.engine.errors import NeedsPerson, OtherZones
from streams.engine.restore import Restoration
from streams.engine.run import run
from streams.engine.topology import Topology
from streams.engine.trial import FAILED_EXIT, try_alone
from streams.fold.attempt import OF_LATER
from streams.kafka.partitioner import partition_of
from streams.operations.prefix import open_prefix
from streams.profiles.view import view
from streams.telemetry import logs
from streams.web.connections import bound_connections
from streams.web.hosts import is_loopback
from streams.web.pages import NotOwned, register, show_health_only
from streams.worker_settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.offsets import PartitionId
    from streams.processors.profiling import Profiling
    from streams.settings import DomainSettings


def run_worker(settings: WorkerSettings) -> NoReturn:
    """Run a worker in this process until SIGTERM (exit 0) or a crash (exit 1).

    Raises:
        NewerState, FlowError, SettingsError: a later release wrote the state or the settings: no restart helps.
        NeedsPerson: topics were changed, records are gone, or the time zones are others: no restart helps.
        NotCreated: the prefix has no topics, or no settings in them.
        RegistryUnusable: the registry does not answer.
    """
    logs.configure(settings.log_level, settings.log_format)
    prefix = open_prefix(settings)
    check_zones(prefix.tzdata)
    app, profiling, metrics = build(prefix)
    bound_connections(app)
    register(
        app,
        token=settings.web_token,
        status=app.status,
        metrics_text=metrics.text,
        lookup=_lookup(profiling, prefix.domain),
    )
    if not settings.web_token and not is_loopback(settings.web_host):
        show_health_only(app)
    try:
        run(app)
    except SystemExit:
        if isinstance(app.crash_reason, (*OF_LATER, NeedsPerson)):
            raise app.crash_reason from None
        raise


def check_zones(published: str) -> None:
    """Check that this process has the time zones on which the prefix rests; an earlier release published none.

    Raises:
        OtherZones: it has others, so it would decide otherwise than the workers beside it.
    """
    if published and published != TZDATA:
        newer = release_of(TZDATA) > release_of(published)
        raise_them = "; or run `touchstream topics create` with your settings, to have all workers use these"
        raise OtherZones(
            f"this worker has the time zones of tzdata {TZDATA}, and the prefix rests on {published}: "
            f"install tzdata=={published}{raise_them if newer else ''}"
        )


def try_records(place: PartitionId, last: int, limit_s: float) -> None:
    """Process a partition's records up to `last` alone; a process ends with 1 in the middle of one that hangs.

    The worker that started this process writes its settings to the standard input, and keeps it open.
    """
    settings = WorkerSettings.model_validate_json(sys.stdin.buffer.readline())
    Thread(target=_end_with_the_input, name="input", daemon=True).start()
    logs.configure(settings.log_level, settings.log_format)
    engine = build(open_prefix(settings)).app.engine
    topic, number = place
    (source,) = (each for each in engine.inputs if each.topic == topic)
    clients = Clients()
    topology = Topology(engine.inputs, engine.settings.topics, clients.topics(engine.settings), clients.clock_s)
    topology.begin()
    wanted = Restoration(engine.settings, clients, source, number, Event(), lambda _: None, topology.ids)
    try_alone(wanted, last, limit_s)


def _end_with_the_input() -> None:
    sys.stdin.buffer.read()
    os._exit(FAILED_EXIT)


def _lookup(profiling: Profiling, domain: DomainSettings) -> Callable[[str], dict[str, Any] | None]:
    def lookup(customer: str) -> dict[str, Any] | None:
        partition = partition_of(customer, domain.journal_partitions)
        fold = profiling.folds.get(partition)
        if fold is None:
            raise NotOwned(partition)
        profile = fold.profile(customer)
        return None if profile is None else msgspec.to_builtins(view(customer, profile))

    return lookup
