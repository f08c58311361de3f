"""touchstream suppress add, remove, list, import, export: the suppression list of a prefix."""

from __future__ import annotations

from pathlib import Path
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
    person,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.operations.prefix import Prefix as OpenPrefix
    from streams.operations.suppression import Done
    from streams.operations.suppression_file import Entry, Given, Refused

_REFUSED_SHOWN = 20
_REFUSED_LINES = 1

suppress = typer.Typer(
    help="Put addresses on the suppression list and take them off; the list stops promotions to them.",
    no_args_is_help=True,
)

Addresses = Annotated[
    list[str], typer.Argument(help="E-mail addresses (which are hashed), or their SHA-256 in hex.", show_default=False)
]
Why = Annotated[str, typer.Option(help="Why, in a few words; decisions show it.")]
Who = Annotated[
    str | None,
    typer.Option(help="Name of the person who asks. Default: this machine's user.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="Stop all messages there, order mail too. Default: promotions.")]


@suppress.command()
def add(
    addresses: Addresses,
    why: Why,
    who: Who = None,
    is_all: All = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Put addresses on the list. Messages on the way there are taken back."""
    from streams.operations.suppression import put_on
    from streams.operations.suppression_file import Entry

    given, hashes = _given(who, why, is_all=is_all), _hashes(addresses)
    with opened_prefix(brokers, prefix, *_errors()) as opened:
        done = put_on(opened, [Entry(each, given.is_all, given.who, given.why, None) for each in hashes])
    _tell(opened, f"put on the list: {done.written}; already on it: {done.unchanged}")


@suppress.command()
def remove(addresses: Addresses, why: Why, who: Who = None, brokers: Brokers = None, prefix: Prefix = None) -> None:
    """Take addresses off the list. Consent, bounces and reports of spam still decide."""
    from streams.operations.suppression import take_off

    given, hashes = _given(who, why), _hashes(addresses)
    with opened_prefix(brokers, prefix, *_errors()) as opened:
        done = take_off(opened, hashes, given)
    _tell(opened, f"taken off the list: {done.written}; not on it: {done.unchanged}")


@suppress.command("list")
def list_entries(brokers: Brokers = None, prefix: Prefix = None, as_json: AsJson = False) -> None:
    """List the addresses on the list by their hashes, with who put them there, why and when."""
    from streams.operations.suppression import entries_on

    with opened_prefix(brokers, prefix, *_errors()) as opened:
        entries = list(entries_on(opened))
    if as_json:
        echo_json([each._asdict() for each in entries])
    elif entries:
        _print(entries)
    else:
        _tell(opened, "the suppression list is empty")


@suppress.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV file. Its first line names the columns.", show_default=False)],
    why: Annotated[str, typer.Option(help="Why, for lines that do not say it.")] = "",
    who: Who = None,
    is_all: All = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Put the addresses of a CSV file on the list: `address`, and if you like `scope`, `who`, `why` and `when`.

    Lines that cannot be used are named, and the others are written. It may be repeated.
    """
    from streams.operations.suppression import put_on
    from streams.operations.suppression_file import Entry, Refused, WrongFile

    given = _given(who, why, is_all=is_all, asks_why=False)
    with errors_in_one_line(WrongFile):
        found = _read(file, given)
    entries = [each for each in found if isinstance(each, Entry)]
    refused = [each for each in found if isinstance(each, Refused)]
    with opened_prefix(brokers, prefix, *_errors()) as opened:
        done = put_on(opened, entries)
    _tell(opened, _summary(done, refused))
    _name_refused(file, refused)


@suppress.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="File to write. Default: print it.", show_default=False)] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Write the list as a CSV file that `import` reads, with hashes in place of addresses."""
    import sys

    from streams.operations.suppression import entries_on
    from streams.operations.suppression_file import write_entries

    with opened_prefix(brokers, prefix, *_errors()) as opened:
        entries = list(entries_on(opened))
    if file is None:
        write_entries(entries, sys.stdout)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as target:
            count = write_entries(entries, target)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    _tell(opened, f"addresses written to {file}: {count}")


def _errors() -> tuple[type[Exception], ...]:
    from state.codec import NewerState
    from streams.operations.suppression import CannotSuppress

    return NewerState, CannotSuppress


def _given(who: str | None, why: str, *, is_all: bool = False, asks_why: bool = True) -> Given:
    from streams.operations.suppression_file import Given, WrongEntry, checked_who, checked_why

    with errors_in_one_line(WrongEntry):
        return Given(checked_who(person(who, "--who")), checked_why(why) if why or asks_why else "", is_all)


def _hashes(addresses: Iterable[str]) -> list[str]:
    from streams.operations.suppression_file import WrongEntry, hashed

    with errors_in_one_line(WrongEntry):
        return [hashed(each) for each in addresses]


def _read(file: Path, given: Given) -> list[Entry | Refused]:
    from streams.operations.suppression_file import WrongFile, read_entries

    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return list(read_entries(lines, given))
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except WrongFile as error:
        raise WrongFile(f"{file}: {error}") from None


def _summary(done: Done, refused: list[Refused]) -> str:
    outdated = f"; taken off again later: {done.outdated}" if done.outdated else ""
    return f"put on the list: {done.written}; already on it: {done.unchanged}{outdated}; refused lines: {len(refused)}"


def _name_refused(file: Path, refused: list[Refused]) -> None:
    for each in refused[:_REFUSED_SHOWN]:
        typer.echo(f"{file}, line {each.line}: {each.why}", err=True)
    if len(refused) > _REFUSED_SHOWN:
        typer.echo(f"{file}: {len(refused) - _REFUSED_SHOWN} more lines", err=True)
    if refused:
        raise typer.Exit(_REFUSED_LINES)


def _tell(opened: OpenPrefix, text: str) -> None:
    typer.echo(f"prefix {opened.settings.prefix}: {text}")


def _print(entries: Iterable[Entry]) -> None:
    from rich.table import Table
    from rich.text import Text

    from schemas.units import shown_time

    table = Table(box=None, pad_edge=False)
    for heading in ("address", "stops", "who", "why", "when"):
        table.add_column(heading, overflow="fold")
    for each in entries:
        cells = (each.address, "all" if each.is_all else "promotions", each.who, each.why, shown_time(each.time_ms))
        table.add_row(*[Text(plain(cell)) for cell in cells])
    console().print(table)
