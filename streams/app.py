"""The map: which agent reads which topic, with which processor and state."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.journal import RULES_4
from streams import agents
from streams.collect.arriving import Arriving
from streams.engine.bisection import NOT_COMMITTED
from streams.engine.driver import batches, create_app
from streams.engine.inputs import Input
from streams.engine.settings import EngineSettings
from streams.engine.status import Status
from streams.engine.trial import TrialProcess
from streams.fold.attempt import HUNG, MUST_STOP, RAISED
from streams.fold.partition_state import JournalCodec
from streams.insights.fold import last_kpis, open_anomalies, stocks, versions
from streams.insights.state import InsightCodec
from streams.processors.collecting import Collecting, ReadPosition, Source
from streams.processors.insighting import Insighting
from streams.processors.profiling import Profiling
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Observer, known_labels
from streams.topics import Topics, specs, worker_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.overlay import Overlay
    from streams.engine.driver import App
    from streams.operations.prefix import Prefix
    from streams.settings import DomainSettings
    from streams.worker_settings import WorkerSettings

_OF_ANY_RECORD = (
    "malformed",
    "unknown_schema",
    "not_avro",
    "unexpected_type",
    "too_many",
    "too_large",
    RAISED,
    HUNG,
    NOT_COMMITTED,
)
REASONS = {
    "collect": (
        *_OF_ANY_RECORD,
        "empty",
        "unknown_type",
        "no_name",
        "no_event_id",
        "no_customer",
        "no_order",
        "no_amount",
        "no_spend",
        "unknown_door",
        "no_consent",
        "time_out_of_range",
        "amount_out_of_range",
        "bad_currency",
        "bad_email_hash",
        "bad_agent",
        "may_not_link",
        "too_long",
        "mark_in_wall_prefix",
    ),
    "fold": (
        *_OF_ANY_RECORD,
        "not_configured",
        "identity_loop",
        "too_many_ids",
        "not_undone",
        "ahead_of_time",
        "no_append_time",
        "timer_failed",
        "too_long",
        "bad_settings",
        "bad_key",
        "bad_recall",
        "bad_hold",
        "bad_profile",
        "bad_link",
        "bad_order",
        "bad_model",
        "no_consent",
        "bad_slot",
        "no_notice",
        "no_import",
        "unknown_partition",
    ),
    "insights": (*_OF_ANY_RECORD, "not_configured", "unknown_partition", "bad_settings", "other_prefix"),
}
"""Of dead letters, by stage. A rise from nothing would not show, so each is counted from 0 on."""

TRIAL = (sys.executable, "-m", "streams", "try-records")
"""The command that tries records alone: streams.worker.try_records."""


class Worker(NamedTuple):
    """A worker, ready to run."""

    app: App
    profiling: Profiling
    metrics: Metrics


def build(prefix: Prefix) -> Worker:
    """Put everything together: processors, inputs, agents."""
    settings, domain = prefix.settings, prefix.domain
    topics, status, metrics = Topics(settings.prefix), Status(), Metrics()
    observer = Observer(metrics, known_labels(domain, flows=_flow_ids(domain), reasons=REASONS))
    profiling = Profiling(topics, prefix.wire, observer, domain.journal_partitions)
    inputs, of_engine = _inputs(prefix, topics, status, observer, profiling), engine_settings(settings, domain)
    app = create_app(
        settings.prefix,
        of_engine,
        inputs,
        web_port=settings.web_port,
        web_host=settings.web_host,
        on_committed=lambda: observer.observe_commit(status.commit_seconds),
        status=status,
        trial=TrialProcess(TRIAL, settings.model_dump_json().encode(), of_engine),
    )
    for source, agent in zip(inputs, (agents.collect, agents.profiles, agents.insights), strict=True):
        app.agent(batches(app, source))(agent)
    metrics.watch(status)
    return Worker(app, profiling, metrics)


def _inputs(prefix: Prefix, topics: Topics, status: Status, observer: Observer, profiling: Profiling) -> list[Input]:
    domain, wire = prefix.domain, prefix.wire
    # insights of earlier releases do not know these counts; they come with the rules
    arriving = Arriving() if prefix.rules >= RULES_4 else None
    collecting = Collecting(
        topics, domain, wire, Source(reach(status, topics.touchpoints), status.clock, arriving), observer
    )
    insighting = Insighting(topics, wire, observer, domain.journal_partitions, held_insights)
    return [
        Input(topics.touchpoints, collecting, blameless=MUST_STOP, wants_stamps=domain.clock == "wall"),
        Input(topics.journal, profiling, topics.profiles_changelog, JournalCodec(), profiling, MUST_STOP),
        Input(topics.facts, insighting, topics.insights_changelog, InsightCodec(), None, MUST_STOP),
    ]


def engine_settings(settings: WorkerSettings, domain: DomainSettings) -> EngineSettings:
    """Return the engine's settings from a worker's, and from those that say which topics there are."""
    topics = Topics(settings.prefix)
    return EngineSettings(
        brokers=settings.brokers,
        group=settings.prefix,
        transactional_id=worker_id(settings.prefix, settings.instance),
        state_dir=settings.state_dir / settings.prefix / settings.instance,
        commit_interval_ms=settings.commit_interval_ms,
        batch_records_max=settings.batch_records_max,
        session_timeout_ms=settings.session_timeout_ms,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        step_seconds_max=settings.step_seconds_max,
        guarantee=settings.guarantee,
        on_lost=settings.on_lost,
        instance_id=settings.instance if settings.membership == "static" else None,
        # a prefix made by an earlier release may lack these two, which no worker uses
        topics={
            spec.name: spec.partitions
            for spec in specs(settings.prefix, domain)
            if spec.name not in {topics.retries, topics.settings}
        },
        client=settings.kafka,
    )


def reach(status: Status, topic: str) -> Callable[[int], ReadPosition | None]:
    """Return what says how far a partition of a topic has been read."""

    def reached(partition: int) -> ReadPosition | None:
        place = (topic, partition)
        owned, end = status.partitions.get(place), status.ends.get(place)
        if owned is None or end is None or not owned.ready:
            return None
        return ReadPosition(owned.reached, end.offset, end.asked_ms)

    return reached


def held_insights(state: Overlay[Any]) -> InsightSnapshot:
    """Return what gauges show of the state of insights when a worker takes it over."""
    faults = tuple(open_anomalies(state))
    anomalies = tuple((anomaly.kpi, anomaly.by) for anomaly in faults)
    return InsightSnapshot(stocks(state), anomalies, faults=faults, models=versions(state), kpis=last_kpis(state))


def _flow_ids(domain: DomainSettings) -> tuple[str, ...]:
    return tuple(str(flow.get("id", "")) for flow in domain.flows)
