"""touchstream verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import AsJson, Brokers, Prefix, console, ready_settings, registry_errors, told

if TYPE_CHECKING:
    from streams.replay.verify import Verification

_SHOWN_MAX = 20


def verify(
    brokers: Brokers = None,
    prefix: Prefix = None,
    twice: Annotated[bool, typer.Option("--twice", help="Fold a second time and compare the hashes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fold the journal again from its beginning and compare with what the topics hold; exit code 1 if they differ."""
    from streams.creating import NotCreated
    from streams.prefix import open_prefix
    from streams.profiles.codec import NewerState
    from streams.verifying import NotStill, hashes_of, verify_prefix

    settings = ready_settings(brokers, prefix)
    with told(NotCreated, NotStill, NewerState, *registry_errors(settings)):
        opened = open_prefix(settings)
        screen = console(stderr=True)
        with screen.status("folding") as status:
            count = opened.domain.journal_partitions
            found = verify_prefix(opened, lambda done: status.update(f"folded partition {done + 1} of {count}"))
            again = hashes_of(opened) if twice else None
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode({"verification": found, "folded_again": again}).decode())
    else:
        _print(found, again)
    if not found.holds or again not in (None, found.folded):
        raise typer.Exit(1)


def _print(found: Verification, again: dict[str, str] | None) -> None:
    from rich.table import Table

    screen = console()
    table = Table(box=None, pad_edge=False)
    for heading in ("topic", "held", "differ", "sha256 of the fold", *(["folded again"] if again else [])):
        table.add_column(heading, justify="right" if heading in {"held", "differ"} else "left")
    for topic, digest in found.folded.items():
        same = ["the same" if again[topic] == digest else again[topic]] if again else []
        table.add_row(topic, str(found.records[topic]), str(found.different[topic]), digest, *same)
    screen.print(table)
    for each in found.differences[:_SHOWN_MAX]:
        screen.print(f"{each.topic}-{each.partition} {each.key} #{each.position}", markup=False)
        screen.print(f"  fold:  {each.folded}\n  topic: {each.held}", markup=False)
    total = sum(found.different.values())
    if total > _SHOWN_MAX:
        screen.print(f"and {total - _SHOWN_MAX} more")
    verdict = "no difference" if found.holds else f"{total} differences"
    screen.print(f"{found.journal} records of the journal folded: {verdict}")
