"""touchstream identity: who a customer is, and what a person changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import (
    AsJson,
    Brokers,
    Prefix,
    echo_json,
    errors_in_one_line,
    opened_prefix,
    person,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schemas.outputs import ProfileMerged
    from streams.operations.identity import Identity

Why = Annotated[str, typer.Option(help="Why, in a few words; it is kept in the journal.")]
By = Annotated[
    str | None, typer.Option(help="The person who asks. Default: the name of your login.", show_default=False)
]
Wait = Annotated[float, typer.Option(help="Seconds to wait until it has taken effect; 0: do not wait.", min=0)]

identity = typer.Typer(
    help="Show who a customer is; link two users, free a device, and undo a merge.", no_args_is_help=True
)


@identity.command()
def show(
    customer: Annotated[str, typer.Argument(help="u:USER_ID, a:ANONYMOUS_ID, or a bare user id.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show who an id is, who was merged into them, when and why, and until when that can be undone."""
    from streams.operations.identity import identity_of

    key = _key(customer)
    with opened_prefix(brokers, prefix) as opened:
        found = identity_of(opened, key)
    if as_json:
        echo_json(found)
    else:
        typer.echo("\n".join([plain(line) for line in _lines(found, opened.settings.prefix)]))
    if not found.is_known:
        raise typer.Exit(1)


@identity.command()
def link(
    one: Annotated[str, typer.Argument(help="u:USER_ID, or a bare user id.")],
    other: Annotated[str, typer.Argument(help="The other id of the same person.")],
    why: Why,
    by: By = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Make one customer of two user ids of one person. The smaller id survives, compared as text."""
    from streams.operations.identity import CannotChange
    from streams.operations.identity import link as ask

    keys, name = (_key(one), _key(other)), person(by, "--by")
    with opened_prefix(brokers, prefix, CannotChange) as opened:
        survivor = ask(opened, *keys, why, name)
    (gone,) = set(keys) - {survivor}
    typer.echo(
        f"{plain(gone)} is about to be merged into {plain(survivor)}; `touchstream identity show {plain(gone)}` says "
        "when it is. For 30 days `touchstream identity undo` takes it back"
    )


@identity.command()
def unlink(
    device: Annotated[str, typer.Argument(help="a:ANONYMOUS_ID")],
    why: Why,
    by: By = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Log the user out of a device. From then on its touchpoints are nobody's, until the next login there."""
    from streams.operations.identity import CannotChange
    from streams.operations.identity import unlink as ask

    key, name = _key(device), person(by, "--by")
    with opened_prefix(brokers, prefix, CannotChange) as opened:
        users = ask(opened, key, why, name)
    typer.echo(
        f"{plain(key)} is about to be freed from {plain(', '.join(users))}; `touchstream identity show {plain(key)}` "
        "names no user once it is"
    )


@identity.command()
def undo(
    customer: Annotated[str, typer.Argument(help="The user who was merged: u:USER_ID, or a bare user id.")],
    why: Why,
    by: By = None,
    wait: Wait = 30.0,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Undo the merge of a user into another one, for 30 days after it.

    Later touchpoints stay with the id that they named. Messages and withdrawals of consent count for both.
    """
    from streams.operations.identity import CannotChange
    from streams.operations.identity import undo as ask

    key, name = _key(customer), person(by, "--by")
    with opened_prefix(brokers, prefix, CannotChange) as opened:
        done = ask(opened, key, why, name, wait)
    if done is None:
        typer.echo(
            f"{plain(key)}: the undo is in the journal; `touchstream identity show {plain(key)}` says when it has "
            "taken effect, and `touchstream dead-letters list --reason not_undone` if it was refused"
        )
        return
    typer.echo(f"{plain(key)} is no longer part of {plain(done.survivor)}")
    typer.echo(f"  theirs again: {_counts(done.divided)}")
    typer.echo(f"  not divided: {_counts(done.not_divided)}")


def _key(text: str) -> str:
    from streams.operations.explain import NotACustomer, customer_key

    with errors_in_one_line(NotACustomer):
        return customer_key(text)


def _counts(found: dict[str, int]) -> str:
    return (
        ", ".join([f"{count} {name.replace('_', ' ')}" for name, count in sorted(found.items()) if count]) or "nothing"
    )


def _lines(found: Identity, prefix: str) -> Iterator[str]:
    if not found.is_known:
        yield f"{found.customer}: there is no such customer in prefix {prefix}"
        return
    if found.merged_into is not None:
        yield f"{found.customer} is merged into another user:"
        yield from _merges([found.merged_into], found.merged_into.survivor)
        return
    if found.users or found.user_id is None:
        users = ", ".join(found.users) or "no user"
        yield f"{found.customer} belongs to {users}"
    else:
        yield f"{found.customer} is a customer on their own"
    yield f"  devices: {', '.join(found.devices) or 'none'}"
    if found.merged:
        yield f"  merged into {found.customer}:"
        yield from _merges(found.merged, None)


def _merges(merges: Iterable[ProfileMerged], survivor: str | None) -> Iterator[str]:
    from schemas.units import shown_time

    for each in merges:
        until = f"until {shown_time(each.undo_until_ms)}" if each.undo_until_ms else "no longer"
        yield f"  {survivor or each.customer}, {shown_time(each.time_ms)}, by {each.cause}; can be undone {until}"
