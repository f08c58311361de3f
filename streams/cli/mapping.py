"""touchstream mapping test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import AsJson, console, echo_json, errors_in_one_line, fail, plain

if TYPE_CHECKING:
    from streams.offline.sample import Sample
    from streams.settings import DomainSettings

SAMPLE_BYTES_MAX = 16 * 1024 * 1024
SHOWN_REFUSED = 20

mapping = typer.Typer(help="Try how records of a source are read.", no_args_is_help=True)


@mapping.callback()
def _group() -> None:
    """Keep `test` a command of its own."""


@mapping.command("test")
def try_sample(
    file: Annotated[Path, typer.Argument(help="A sample: JSON lines, a JSON list or one document; or a table.")],
    source: Annotated[str, typer.Option(help="Name of the system that sends such records.")],
    door: Annotated[
        str | None, typer.Option(help="How to read them: segment, cloudevents, touchpoint, ... Default: by their form.")
    ] = None,
    table: Annotated[
        str | None, typer.Option("--mapping", help="For a table: the name of a mapping or a YAML file, as for replay.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Your settings file, as for `touchstream topics create`. Default: the defaults.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what becomes of each field of a sample, and what is refused. Exit code 1 if anything is refused.

    Nothing is sent anywhere, and no broker is needed.
    """
    if not file.is_file():
        fail(f"{file}: no such file")
    if table is not None:
        if door is not None:
            fail("--door is for records of JSON and --mapping for tables: give one of both")
        sample = _of_table(file, table)
    else:
        sample = _of_json(file, source, door, _settings(settings))
    if as_json:
        echo_json(sample)
    else:
        _print(file, source, sample)
    if sample.refused:
        raise typer.Exit(1)


def _settings(file: Path | None) -> DomainSettings:
    from streams.flows.language.mistakes import FlowError
    from streams.operations.settings_file import configured

    with errors_in_one_line(FlowError):
        return configured(file)


def _of_json(file: Path, source: str, door: str | None, settings: DomainSettings) -> Sample:
    import time

    from streams.collect.refused import RefusedRecord
    from streams.offline.sample import documents_in, look_at

    size = file.stat().st_size
    if size > SAMPLE_BYTES_MAX:
        fail(f"{file} has {size:,} bytes: a sample has at most {SAMPLE_BYTES_MAX:,}, so give its first lines")
    try:
        documents = documents_in(file.read_bytes())
        return look_at(documents, source, door, int(time.time() * 1000), settings)
    except RefusedRecord as refused:
        fail(f"{file}: {refused.detail}")


def _of_table(file: Path, mapping: str) -> Sample:
    from streams.offline.sample import Count, Refused, Sample
    from streams.replay.files.mapped import RefusedLines
    from streams.replay.files.mapping import MappingError, load_mapping
    from streams.replay.files.rows import ColumnFileError
    from streams.replay.files.sold import SoldError
    from streams.replay.files.sources import open_files

    with errors_in_one_line(MappingError, ColumnFileError, SoldError):
        types: dict[str, int] = {}
        refused: list[Refused] = []
        lines = 0
        for outcome in open_files([file], load_mapping(mapping)).mapped:
            lines += outcome.lines
            if isinstance(outcome, RefusedLines):
                refused.append(Refused(outcome.line_number, str(outcome.reason), outcome.detail))
            else:
                types[outcome.touchpoint.type] = types.get(outcome.touchpoint.type, 0) + 1
    return Sample(lines, {kind: Count(count) for kind, count in sorted(types.items())}, (), tuple(refused))


def _print(file: Path, source: str, sample: Sample) -> None:
    from rich.table import Table

    from streams.offline.sample import LET_GO

    screen = console()
    came = sum(count.come_in for count in sample.types.values())
    screen.print(f"{file}: {sample.records:,} records of source {plain(source, 100)}")
    counted = Table(box=None, pad_edge=False)
    for heading in ("record", "come in", "refused"):
        counted.add_column(heading, justify="left" if heading == "record" else "right")
    for kind, count in sample.types.items():
        style = "red" if count.refused else None
        counted.add_row(plain(kind, 200), f"{count.come_in:,}", f"{count.refused:,}", style=style)
    screen.print(counted)
    if sample.fields:
        fields = Table(box=None, pad_edge=False)
        for heading in ("field", "becomes"):
            fields.add_column(heading, overflow="fold")
        for field in sample.fields:
            style = "dim" if field.becomes == LET_GO else None
            fields.add_row(plain(field.path, 200), plain(field.becomes, 400), style=style)
        screen.print()
        screen.print(fields)
        if any(field.becomes == LET_GO for field in sample.fields):
            screen.print()
            screen.print(
                "Fields that are let go are kept nowhere. Name them in the catalogue of attributes to keep them."
            )
    if sample.refused:
        screen.print()
        screen.print(f"{len(sample.refused):,} refused, {came:,} come in:")
        for each in sample.refused[:SHOWN_REFUSED]:
            screen.print(f"  record {each.record}: {each.reason}: {plain(each.detail, 500)}", markup=False)
        if len(sample.refused) > SHOWN_REFUSED:
            screen.print(f"  and {len(sample.refused) - SHOWN_REFUSED:,} more")
