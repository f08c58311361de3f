"""touchstream explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import (
    AsJson,
    Brokers,
    Prefix,
    console,
    echo_json,
    errors_in_one_line,
    opened_prefix,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from schemas.outputs import Credit, Decision, ProfileView, Trigger
    from streams.operations.explain import Explanation


def explain(
    customer: Annotated[str, typer.Argument(help="u:USER_ID, a:ANONYMOUS_ID, or a bare user id.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    flow: Annotated[str | None, typer.Option(help="Show only their history in the flow with this id.")] = None,
) -> None:
    """Show what is known of one customer, why they are in their segment, and why each message went out or did not."""
    from state.codec import NewerState
    from streams.operations.explain import NotACustomer, customer_key
    from streams.operations.explain import explain as read

    with errors_in_one_line(NotACustomer):
        key = customer_key(customer)
    with opened_prefix(brokers, prefix, NewerState) as opened:
        explanation = read(opened, key)
    if flow is not None:
        _tell_flow(flow, explanation, opened.settings.prefix, as_json=as_json)
    elif as_json:
        echo_json(explanation)
    elif explanation.is_empty:
        typer.echo(f"{key}: there is no such customer in prefix {opened.settings.prefix}")
    else:
        _print(explanation, console())
    if explanation.is_empty:
        raise typer.Exit(1)


def _tell_flow(flow_id: str, explanation: Explanation, prefix: str, *, as_json: bool) -> None:
    from streams.operations.flow_history import flow_story

    story = flow_story(flow_id, explanation.decisions, explanation.triggers)
    if not story:
        typer.echo(f"{explanation.customer}: prefix {prefix} has no decision of flow {flow_id} for this customer")
        raise typer.Exit(1)
    if as_json:
        echo_json(story)
    else:
        _print_lines(f"{explanation.customer} in {flow_id}", story, console())


def _print(explanation: Explanation, screen: Console) -> None:
    from schemas.units import shown_time

    _print_title(explanation.customer, screen)
    if explanation.is_withdrawn:
        into = f"{plain(explanation.survivor)}, see there" if explanation.survivor else "another customer's"
        screen.print(f"This profile has been merged into {into}.", markup=False)
    for note in explanation.notes:
        screen.print(note, markup=False, soft_wrap=True)
    if explanation.profile is not None:
        _print_profile(explanation.profile, screen)
    _print_lines("Why this segment", explanation.why, screen)
    moves = (f"{shown_time(each.change.time_ms)}  {each.sentence}" for each in explanation.segments)
    _print_lines("Changes of segment", moves, screen)
    _print_lines("Decisions about messages", (_decision(each) for each in explanation.decisions), screen)
    _print_lines("Messages", (_trigger(each, explanation) for each in explanation.triggers), screen)
    _print_lines("Credit by order, in minor units (such as cents)", _credit_lines(explanation.credits), screen)


def _print_lines(title: str, lines: Iterable[str], screen: Console) -> None:
    held = list(lines)
    if held:
        screen.print()
        _print_title(title, screen)
    for line in held:
        screen.print(f"  {plain(line)}", markup=False, soft_wrap=True)


def _print_title(title: str, screen: Console) -> None:
    from rich.text import Text

    screen.print(Text(plain(title), style="bold"))


def _print_profile(profile: ProfileView, screen: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from schemas.units import shown_time
    from streams.operations.wording import shown_minor

    consent = ", ".join(f"{channel} {'given' if given else 'withdrawn'}" for channel, given in profile.consent.items())
    rows = (
        ("segment", f"{profile.segment} (R {profile.r} F {profile.f} M {profile.m})"),
        ("lifecycle", profile.lifecycle),
        ("orders", f"{profile.orders}, worth {shown_minor(profile.monetary_minor)} minor units"),
        ("first, last order", f"{shown_time(profile.first_order_ms)}, {shown_time(profile.last_order_ms)}"),
        ("cluster", f"{profile.cluster} of {profile.clusters_version}" if profile.cluster >= 0 else "none"),
        ("consent", consent or "neither given nor withdrawn"),
        ("devices", ", ".join(profile.devices) or "none"),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(name, Text(plain(value)))
    screen.print(table)


def _decision(decision: Decision) -> str:
    from schemas.units import shown_time

    evidence = ", ".join(_shown(name, value) for name, value in decision.evidence.items())
    said = f"{decision.flow_id} v{decision.flow_version} {decision.step}: {decision.outcome}. {decision.reason}"
    return f"{shown_time(decision.time_ms)}  {said}" + (f" ({evidence})" if evidence else "")


def _shown(name: str, value: str) -> str:
    """Return a piece of evidence in words, with a time as people write it."""
    from schemas.units import shown_time

    words = name.removesuffix("_ms").replace("_", " ")
    return f"{words} {shown_time(int(value))}" if name.endswith("_ms") and value.isdecimal() else f"{words} {value}"


def _trigger(trigger: Trigger, explanation: Explanation) -> str:
    from schemas.units import shown_time
    from streams.operations.consent import decision_of, rests_on

    articles = ", ".join(f"{item.quantity} x {item.sku}" for item in trigger.products)
    said = f"{trigger.channel} of {trigger.flow_id} v{trigger.flow_version}, until {shown_time(trigger.expires_ms)}"
    said += f". {trigger.reason}" + (f" ({articles})" if articles else "")
    return f"{shown_time(trigger.due_ms)}  {said} {rests_on(decision_of(trigger, explanation.decisions))}"


def _credit_lines(rows: Iterable[Credit]) -> Iterator[str]:
    from schemas.units import shown_time
    from streams.operations.wording import shown_minor

    order_id = None
    for row in sorted(rows, key=lambda row: row.order_id):
        if row.order_id != order_id:
            order_id = row.order_id
            yield f"{order_id} of {shown_time(row.conversion_time_ms)}"
        touch = "no touch" if row.touch_time_ms is None else f"touch at {shown_time(row.touch_time_ms)}"
        amount = f"{shown_minor(row.amount_minor)} {row.currency}"
        yield f"  {row.model:<8}{row.kind:<10}{row.channel:<22}{amount:>14}  {touch}"
