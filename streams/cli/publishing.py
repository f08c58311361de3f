"""touchstream flows publish, pause, resume, list: the flows that are published in a prefix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, fail, ready_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import JsonValue

    from streams.settings import DomainSettings

FlowId = Annotated[str | None, typer.Argument(help="Id of a published flow.", show_default=False)]
AllFlows = Annotated[bool, typer.Option("--all", help="All flows, also those published later.")]


def publish(
    files: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.", show_default=False)],
    percent: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=99.99,
            help="Publish for this share of customers only (a canary). 0: decide, but send nothing.",
            show_default=False,
        ),
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(
            help="File of `backtest --json`. For two weeks, a day 3 standard deviations off it is an anomaly.",
            show_default=False,
        ),
    ] = None,
    allow_conflicts: Annotated[
        bool, typer.Option("--allow-conflicts", help="Publish even if flows conflict (see `flows lint`).")
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Publish flows in a running prefix. Other published flows stay as they are."""
    from streams.cli.shared import loaded
    from streams.flows.language.expectations import NoExpectation, expected_of
    from streams.flows.language.files import read_document
    from streams.flows.language.publishing import NotPublishable, conflicts_with, with_flow

    found = loaded(files)
    documents = [read_document(file) for file, _ in found]
    if expect is not None and percent is not None:
        fail("--expect and --percent are both given: a backtest covers all customers, so use only one")
    with errors_in_one_line(NoExpectation):
        expected = {flow.id: expected_of(flow, expect) for _, flow in found} if expect is not None else {}

    def changed(domain: DomainSettings, now_ms: int) -> DomainSettings:
        if not allow_conflicts and percent != 0:
            conflicts = conflicts_with(domain, documents)
            if conflicts:
                told_all = "; ".join(str(conflict) for conflict in conflicts)
                raise NotPublishable(f"{told_all}; --allow-conflicts publishes them anyway")
        for document in documents:
            domain = with_flow(domain, document, now_ms, percent, expected.get(str(document["id"])))
        return domain

    _change(brokers, prefix, [flow.id for _, flow in found], changed)


def pause(flow_id: FlowId = None, all_flows: AllFlows = False, brokers: Brokers = None, prefix: Prefix = None) -> None:
    """Pause a flow, or all: customers keep their place, and messages wait until they expire.

    Messages that are out and not due yet are taken back. They are not sent again.
    """
    from streams.flows.language.publishing import paused

    chosen = _chosen(flow_id, all_flows=all_flows)
    _change(brokers, prefix, [chosen], lambda domain, now_ms: paused(domain, chosen, now_ms))


def resume(flow_id: FlowId = None, all_flows: AllFlows = False, brokers: Brokers = None, prefix: Prefix = None) -> None:
    """Resume a paused flow. Each waiting message goes out within 15 minutes, or sooner if it waited less than that.

    With --all, flows that were paused one by one stay paused.
    """
    from streams.flows.language.publishing import resumed

    chosen = _chosen(flow_id, all_flows=all_flows)
    _change(brokers, prefix, [chosen], lambda domain, _: resumed(domain, chosen))


def _chosen(flow_id: str | None, *, all_flows: bool) -> str:
    """Return the id of the flow, or ALL_FLOWS; fail if the command names neither or both."""
    from streams.flows.language.flow_set import ALL_FLOWS

    if all_flows and flow_id is not None:
        fail(f"{flow_id} and --all are both given: name one flow, or use --all")
    if flow_id is None and not all_flows:
        fail("no flow is given: name one (`touchstream flows list` shows them), or use --all")
    return flow_id or ALL_FLOWS


def list_published(brokers: Brokers = None, prefix: Prefix = None) -> None:
    """List the published flows of a prefix: their versions, whether they are live or paused, and since when."""
    from streams.operations.create import NotCreated, read_domain

    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(NotCreated):
        domain = read_domain(settings)
    lines = list(_lines(domain))
    for line in lines or [f"prefix {settings.prefix}: no flows are published"]:
        typer.echo(line)


def _change(
    brokers: str | None,
    prefix: str | None,
    flow_ids: Sequence[str],
    changed: Callable[[DomainSettings, int], DomainSettings],
) -> None:
    from streams.flows.language.publishing import NotPublishable
    from streams.operations.create import CannotChange, NotCreated, PublishedMeanwhile, change_settings

    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(CannotChange, NotCreated, NotPublishable, PublishedMeanwhile):
        before, after = change_settings(settings, changed)
    typer.echo(f"prefix {settings.prefix}: {'unchanged' if after == before else 'published'}")
    for line in _lines(after, flow_ids):
        typer.echo(line)


def _lines(domain: DomainSettings, flow_ids: Sequence[str] | None = None) -> Iterator[str]:
    from schemas.units import shown_time
    from streams.flows.language.durations import duration_text
    from streams.flows.language.flow_set import ALL_FLOWS
    from streams.flows.language.mistakes import parse_flow
    from streams.flows.language.relying import relied_on
    from streams.settings import FlowState

    everyone_ms = domain.flow_states.get(ALL_FLOWS, FlowState()).paused_ms
    if everyone_ms is not None:
        yield f"all flows: paused since {shown_time(everyone_ms)}; `touchstream flows resume --all` ends that"
    elif flow_ids == [ALL_FLOWS]:
        yield "all flows: not paused together"
    live = {str(flow["id"]): flow for flow in domain.flows}
    canaries = {name for name, state in domain.flow_states.items() if state.canary is not None}
    for flow_id in sorted(live.keys() | canaries):
        if flow_ids is not None and flow_id not in flow_ids:
            continue
        state = domain.flow_states.get(flow_id, FlowState())
        if flow_id in live:
            since = f" since {shown_time(state.since_ms)}" if state.since_ms else ""
            inputs = ", ".join(sorted(relied_on(live[flow_id])))
            history_ms = parse_flow(live[flow_id], flow_id).history_ms
            needs = f"; needs a shop with a history of {duration_text(history_ms)}" if history_ms else ""
            yield f"{flow_id} {_version(live[flow_id])}: live{since}; relies on {inputs}{needs}"
        if state.canary is not None:
            percent = state.canary.percent
            share = f"for {percent:g} % of the customers" if percent else "decides but sends nothing"
            yield f"{flow_id} {_version(state.canary.flow)}: {share} since {shown_time(state.canary.since_ms)}"
        for older in state.older:
            yield f"{flow_id} {_version(older)}: only customers who are still in it"
        if state.paused_ms is not None:
            yield f"{flow_id}: paused since {shown_time(state.paused_ms)}"


def _version(flow: dict[str, JsonValue]) -> str:
    return f"v{flow['version']}"
