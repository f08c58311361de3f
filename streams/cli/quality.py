"""touchstream quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import AsJson, Brokers, Prefix, console, echo_json, errors_in_one_line, fail, opened_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.operations.file_quality import FileQuality
    from streams.operations.quality import PrefixQuality, SourceQuality


def quality(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files to look at in the place of a prefix: tables, or .avro files.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    mapping: Annotated[
        str | None, typer.Option(help="How to read tables: the name of a mapping, or a YAML file.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How many days of a prefix to look at.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show what is wrong with the data that came into a prefix, or with files.

    Of a prefix it is the last day. `--days 60` reviews two months.
    """
    if files:
        found = _of_files(files, mapping)
        if as_json:
            echo_json(found)
        else:
            for line in _file_lines(found):
                typer.echo(line)
        return
    if mapping is not None:
        fail("--mapping is for files: name them too")
    _of_prefix(brokers, prefix, days, as_json=as_json)


def _of_files(files: list[Path], mapping: str | None) -> FileQuality:
    from schemas.container import ContainerError
    from streams.operations.file_quality import file_quality
    from streams.replay.files.mapping import MappingError, load_mapping
    from streams.replay.files.rows import ColumnFileError
    from streams.replay.files.sold import SoldError

    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        fail(f"{', '.join(missing)}: no such file")
    with errors_in_one_line(MappingError, ColumnFileError, ContainerError, SoldError):
        return file_quality(files, None if mapping is None else load_mapping(mapping))


def _file_lines(found: FileQuality) -> Iterator[str]:
    for count, words in (
        (found.without_customer, "name no customer"),
        (found.customer_is_nobody, "name a customer who is nobody, such as null or guest"),
        (found.exact_duplicates, "are exactly the same as an earlier one"),
        (found.price_zero, "have a price of 0"),
        (found.price_negative, "have a negative price"),
        (found.quantity_zero, "have a quantity of 0"),
        (found.quantity_negative, "have a negative quantity"),
        (found.no_number, "have a price or quantity that is no number"),
    ):
        if found.lines:
            yield f"{count:>9} of {found.lines} lines {words} ({count / found.lines:.2%})"
    for reason, count in found.refused.items():
        yield f"{count:>9} lines are refused: {reason}"
    for kind, count in found.touchpoints.items():
        yield f"{count:>9} touchpoints: {kind}"
    yield f"{found.repeated_event_ids:>9} event ids come again"
    yield f"{found.repeated_order_ids:>9} order ids come again"
    yield f"{found.shared_addresses:>9} addresses belong to more than one customer"


def _of_prefix(brokers: str | None, prefix: str | None, days: int, *, as_json: bool) -> None:
    import time

    from streams.operations.quality import prefix_quality

    with opened_prefix(brokers, prefix) as opened:
        found = prefix_quality(opened, days, int(time.time() * 1_000))
    if as_json:
        echo_json(found)
        return
    _print(found, days)


def _print(found: PrefixQuality, days: int) -> None:
    from rich.table import Table

    from schemas.units import shown_time

    screen = console()
    screen.print(f"from {shown_time(found.from_ms)} to {shown_time(found.to_ms)}")
    if not found.sources:
        screen.print("Nothing came in, or the workers have not been started since the rules of this release hold.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("source", "type", "touchpoints", "a day before", "last", "late", "ahead", "no user", "no id"):
        table.add_column(heading, justify="left" if heading in {"source", "type", "last"} else "right")
    for each in found.sources:
        shares = [_percent(count, each) for count in (each.late, each.ahead, each.no_user, each.no_key)]
        last = shown_time(each.last_ms or None)
        table.add_row(each.source, each.type, str(each.touchpoints), f"{each.per_day_before:.1f}", last, *shares)
    screen.print(table)
    for each in found.sources:
        for line in _words(each, days):
            screen.print(line)
    for source, count in found.duplicates.items():
        screen.print(f"{source}: {count} touchpoints had arrived before, those of the 7 days before included")
    screen.print(f"{found.orders_repeated} orders came as two events, those of the 7 days before included.")


def _words(each: SourceQuality, days: int) -> Iterator[str]:
    where = f"{each.type} from {each.source}"
    if not each.touchpoints:
        yield f"{where}: none came in, and {each.per_day_before:.1f} a day did before"
    elif each.days_without and days > 1:
        yield f"{where}: nothing on {each.days_without} of {days} days"
    for field in each.fields:
        share = field.before if field.what == "vanished" else field.share
        yield f"{where}: the field {field.name} is {field.what} ({share:.0%})"


def _percent(count: int, each: SourceQuality) -> str:
    return f"{count / each.looked:.1%}" if each.looked else "-"
