"""touchstream consent."""

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
    fail,
    opened_prefix,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.operations.consent import Conclusion, Consent, Rested, Statement


def consent(
    customer: Annotated[str, typer.Argument(help="u:USER_ID, a:ANONYMOUS_ID, or a bare user id.")],
    at: Annotated[
        str | None,
        typer.Option(help="Show what was known then: 2026-03-02T10:00 (UTC), or milliseconds."),
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Only this purpose.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Show on what the message with this id rested.")] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of a customer's consent, or what was known at a time, and which statement wins and why."""
    from state.codec import NewerState
    from streams.operations.consent import Asked, NoSuchTrigger, ask, rested
    from streams.operations.explain import NotACustomer, customer_key

    if trigger is not None and (at or channel or purpose):
        fail("--trigger is given with --at, --channel or --purpose: a message says all of these itself")
    with errors_in_one_line(NotACustomer):
        key = customer_key(customer)
    at_ms = None if at is None else _time_of(at)
    with opened_prefix(brokers, prefix, NoSuchTrigger, NewerState) as opened:
        if trigger is not None:
            found = rested(opened, key, trigger)
            _echo(found, _of_message(found), as_json=as_json)
            return
        answer = ask(opened, key, Asked(at_ms, channel, purpose))
    _echo(answer, _lines(answer, opened.settings.prefix), as_json=as_json)
    if not answer.is_known:
        raise typer.Exit(1)


def _time_of(text: str) -> int:
    from datetime import UTC, datetime

    if text.isdecimal() and len(text) > len("20260302"):
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at {text!r}: write a time such as 2026-03-02T10:00 (UTC), or milliseconds since 1970")
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1_000)


def _echo(found: Consent | Rested, lines: Iterator[str], *, as_json: bool) -> None:
    if as_json:
        echo_json(found)
        return
    screen = console()
    for line in lines:
        screen.print(plain(line), markup=False, soft_wrap=True)


def _lines(answer: Consent, prefix: str) -> Iterator[str]:
    from schemas.units import shown_time

    if not answer.is_known:
        yield f"{answer.customer}: there is no such customer in prefix {prefix}"
        return
    if answer.asked != answer.customer:
        yield f"{answer.asked} has been merged into {answer.customer}, whose consent this is."
    by = "now" if answer.at_ms is None else f"by what was received until {shown_time(answer.at_ms)}"
    yield f"Consent of {answer.customer} {by}"
    yield from answer.notes
    yield from [f"  {_conclusion(each)}" for each in answer.conclusions]
    yield "Statements" if answer.statements else "No statement is known."
    yield from [f"  {_statement(each)}" for each in answer.statements]
    if answer.reaches_ms:
        since = shown_time(answer.reaches_ms)
        yield f"All statements since {since} are here. Of older ones only those are kept that may still decide."
    elif answer.statements:
        yield "All statements are here."


def _conclusion(each: Conclusion) -> str:
    to = f" to {each.address}" if each.address else ""
    said = "" if each.statement is None else f" By: {_statement(each.statement)}"
    return f"{each.channel} {each.purpose}{to}: {'yes' if each.is_allowed else 'no'}. {each.why}{said}"


def _statement(each: Statement) -> str:
    from schemas.units import shown_time

    kind = "granted" if each.granted else "withdrawn"
    parts = [f"{each.channel} {each.purpose} {kind}"]
    parts += [f"for {each.address}"] if each.address else []
    parts += [f"at most {each.at_most} in seven days"] if each.at_most else []
    parts += [f"only {each.only_flow}"] if each.only_flow else []
    parts += ["by another profile of the address"] if each.is_of_other else []
    clock = "a server's clock" if each.is_server else "any clock"
    parts += [f"by {each.source or 'an unknown source'} ({clock})", f"received {shown_time(each.received_ms)}"]
    return f"{shown_time(each.valid_ms)}  {', '.join(parts)}"


def _of_message(found: Rested) -> Iterator[str]:
    from schemas.units import shown_time

    trigger = found.trigger
    yield f"{trigger.trigger_id}: {trigger.channel} of {trigger.flow_id}, decided on {shown_time(trigger.decided_ms)}"
    yield found.sentence
    for each in found.later:
        yield f"{shown_time(each.time_ms)}  {each.outcome}. {each.reason}"
