"""The account of everything in a run, as a value, and the equations that it has to satisfy."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.profiles.segments import NO_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.demo.report.reading import Records
    from streams.replay.replayer import ReplaySummary

COLLECT, FOLD = "collect", "fold"
ENTERED, TOO_OLD, SENT, DEFERRED, REVOKED = "entered", "too_old", "sent", "deferred", "revoked"
MODELS = ("linear", "last")


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the files by outcome; `in_file` was counted apart from the replay."""

    in_file: int
    in_orders: int = 0
    in_refunds: int = 0
    in_unmatched_refunds: int = 0
    in_others: int = 0
    refused: dict[str, int] = {}

    @property
    def accounted(self) -> int:
        known = self.in_orders + self.in_refunds + self.in_unmatched_refunds + self.in_others
        return known + sum(self.refused.values())


class ClusterSize(msgspec.Struct, frozen=True):
    """A cluster of the last model; `panel` rows of the week's sample were nearest to it, `customers` are in it now."""

    number: int
    description: str
    panel: int
    customers: int


class Incident(msgspec.Struct, frozen=True):
    """An anomaly; `end_ms` is the window in which it was cleared, None while it lasts."""

    kpi: str
    start_ms: int
    end_ms: int | None
    direction: str
    observed: float
    expected: float
    score: float


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One run, counted from its topics; amounts are minor units of `currency`."""

    currency: str
    sent: int
    touchpoints: int
    journalled: int
    dead_letters: dict[str, dict[str, int]]
    """By stage and reason; those of the stage `replay` are lines of a file."""
    retried: dict[str, int]
    """By stage: touchpoints retried from the dead letters."""
    refused_lines: int
    """Lines in the replay's dead letters."""
    duplicates: int
    folded: int
    fold_dead_letters: int
    forwards_sent: int
    forwards_received: int
    lines: Lines
    customers: int
    customers_ordered: int
    segments: dict[str, int]
    segment_stock: dict[str, int]
    """The same, from the sums of facts."""
    transitions: dict[str, int]
    triggers: dict[str, int]
    revocations: int
    outcomes: dict[str, int]
    decisions_open: int
    orders: int
    guest_orders: int
    revenue_minor: int
    refunds_minor: int
    credited_minor: dict[str, dict[str, int]]
    """By model and channel, from the ledger; in `currency`."""
    credited_facts_minor: dict[str, int]
    """By model, from the facts."""
    clusters: tuple[ClusterSize, ...]
    clusters_version: str
    cuts_version: str
    anomalies: tuple[Incident, ...]
    kpis: dict[str, int]
    """Sums over all hours of the KPIs that can be added."""
    kpi_days_revenue_minor: int

    @property
    def forwards_open(self) -> int:
        return self.forwards_sent - self.forwards_received

    @property
    def net_minor(self) -> int:
        return self.revenue_minor - self.refunds_minor


class Equation(NamedTuple):
    """Two counts that must agree."""

    claim: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right

    def __str__(self) -> str:
        return f"{self.claim}: {self.left:,} {'=' if self.holds else '≠'} {self.right:,}"


def equations(account: Account) -> list[Equation]:
    """Return every equation that a finished run satisfies, so that nothing disappears."""
    collected = sum(account.dead_letters.get(COLLECT, {}).values())
    folded = account.folded + account.duplicates + account.fold_dead_letters
    outcomes = {name: count for name, count in account.outcomes.items() if name != DEFERRED}
    candidates = outcomes.pop(ENTERED, 0) + outcomes.get(TOO_OLD, 0)
    revoked = outcomes.pop(REVOKED, 0)
    decided = sum(outcomes.values())
    lines = account.lines
    refused = sum(lines.refused.values())
    segments = _first_difference(account.segments, account.segment_stock)
    found = [
        Equation(
            "touchpoints sent + retried on arrival = touchpoints received",
            account.sent + account.retried.get(COLLECT, 0),
            account.touchpoints,
        ),
        Equation(
            "touchpoints received + retried later = in the journal + refused on arrival",
            account.touchpoints + account.retried.get(FOLD, 0),
            account.journalled + collected,
        ),
        Equation(
            "in the journal = processed + duplicates + failed in processing + still under way",
            account.journalled,
            folded + account.forwards_open,
        ),
        Equation("touchpoints still under way = 0", account.forwards_open, 0),
        Equation("lines of the file = in orders + in refunds + other + refused", lines.in_file, lines.accounted),
        Equation("refused lines = lines in the replay's dead letters", refused, account.refused_lines),
        Equation("possible messages = decided + still waiting", candidates, decided + account.decisions_open),
        Equation(
            "messages decided - withdrawn = messages handed out - withdrawals",
            outcomes.get(SENT, 0) - revoked,
            sum(account.triggers.values()) - account.revocations,
        ),
        Equation("customers in segments: by profiles = by sums", *segments),
        Equation("revenue of all hours' KPIs = revenue", account.kpis.get("revenue_minor", 0), account.revenue_minor),
        Equation("revenue of all days' KPIs = revenue", account.kpi_days_revenue_minor, account.revenue_minor),
    ]
    found += [
        Equation(
            f"credit by {model} touch in the ledger = in the sums",
            sum(account.credited_minor.get(model, {}).values()),
            account.credited_facts_minor.get(model, 0),
        )
        for model in MODELS
    ]
    linear, last = (sum(account.credited_minor.get(model, {}).values()) for model in MODELS)
    return [*found, Equation("credit by linear touch = credit by last touch", linear, last)]


def balances(account: Account) -> list[str]:
    """Return the equations that do not hold, as sentences; none for a correct run."""
    return [str(equation) for equation in equations(account) if not equation.holds]


def account_of(records: Records, replayed: ReplaySummary, lines_in_files: int, currency: str) -> Account:
    """Return the account of a prefix whose topics were read after everything was processed."""
    facts = records.facts
    segments = Counter(view.segment for view in records.profiles.values() if view.segment != NO_ORDER)
    return Account(
        currency=currency,
        sent=replayed.touchpoints,
        touchpoints=records.touchpoints,
        journalled=records.journalled,
        dead_letters={stage: dict(counts.most_common()) for stage, counts in sorted(records.dead_letters.items())},
        retried=dict(records.retried),
        refused_lines=records.refused_lines,
        duplicates=facts["duplicates", ""],
        folded=facts["folded", ""],
        fold_dead_letters=facts["fold_dead_letters", ""],
        forwards_sent=facts["forwards_sent", ""],
        forwards_received=facts["forwards_received", ""],
        lines=_lines(replayed, lines_in_files),
        customers=len(records.profiles),
        customers_ordered=facts["customers_ordered", ""],
        segments=dict(segments.most_common()),
        segment_stock=_by(facts, "customers", "segment"),
        transitions=dict(
            Counter(f"{change.before} → {change.after}" for change in records.segment_changes).most_common()
        ),
        triggers=dict(Counter(trigger.flow_id for trigger in records.triggers)),
        revocations=records.revocations,
        outcomes=dict(Counter(decision.outcome for decision in records.decisions).most_common()),
        decisions_open=facts["decisions_open", ""],
        orders=facts["orders", ""],
        guest_orders=facts["guest_orders", ""],
        revenue_minor=facts["revenue_minor", ""],
        refunds_minor=facts["refunds_minor", ""],
        credited_minor=records.credited_in(currency),
        credited_facts_minor=_credited(facts),
        clusters=_clusters(records),
        clusters_version=records.clusters.version if records.clusters else "",
        cuts_version=records.cuts.version if records.cuts else "",
        anomalies=_incidents(records),
        kpis=_kpi_sums(records, "hour"),
        kpi_days_revenue_minor=_kpi_sums(records, "day").get("revenue_minor", 0),
    )


def _lines(replayed: ReplaySummary, in_files: int) -> Lines:
    files = replayed.files.values()
    refused: Counter[str] = sum((file.refused for file in files), Counter())
    return Lines(
        in_file=in_files,
        in_orders=sum(file.in_orders for file in files),
        in_refunds=sum(file.in_refunds for file in files),
        in_unmatched_refunds=sum(file.in_unmatched_refunds for file in files),
        in_others=sum(file.in_others for file in files),
        refused=dict(refused.most_common()),
    )


def _by(facts: Mapping[tuple[str, str], int], name: str, dimension: str) -> dict[str, int]:
    head = f"{dimension}="
    found: Counter[str] = Counter()
    for (fact, by), value in facts.items():
        if fact == name and by.startswith(head):
            found[by.removeprefix(head)] += value
    return {key: value for key, value in found.most_common() if value}


def _credited(facts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for (name, by), value in facts.items():
        model, _, of_model = by.partition(",")
        if name == "credited_minor" and of_model.startswith("channel="):
            sums[model.removeprefix("model=")] += value
    return dict(sums)


def _clusters(records: Records) -> tuple[ClusterSize, ...]:
    model = records.clusters
    if model is None:
        return ()
    members = Counter(view.cluster for view in records.profiles.values())
    each = zip(model.numbers, model.names, model.size, strict=True)
    return tuple(ClusterSize(number, name, size, members[number]) for number, name, size in sorted(each))


def _incidents(records: Records) -> tuple[Incident, ...]:
    cleared = {record.anomaly_id: record.time_ms for record in records.anomalies if record.status == "cleared"}
    return tuple(
        Incident(
            each.kpi,
            each.start_ms,
            cleared.get(each.anomaly_id),
            each.direction,
            each.observed,
            each.expected,
            each.score,
        )
        for each in records.anomalies
        if each.status == "raised"
    )


def _kpi_sums(records: Records, grain: str) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for kpi in records.kpis.values():
        if kpi.grain == grain and not kpi.by and kpi.denominator == 1 and not kpi.name.endswith(("_rate", "aov_minor")):
            sums[kpi.name] += kpi.numerator
    return dict(sorted(sums.items()))


def _first_difference(left: Mapping[str, int], right: Mapping[str, int]) -> tuple[int, int]:
    names: Iterable[str] = sorted({*left, *right})
    differing = next((name for name in names if left.get(name, 0) != right.get(name, 0)), None)
    if differing is not None:
        return left.get(differing, 0), right.get(differing, 0)
    return sum(left.values()), sum(right.values())
