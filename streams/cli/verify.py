"""touchstream verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import AsJson, Brokers, Prefix, console, echo_json, fail, opened_prefix, plain

if TYPE_CHECKING:
    from streams.offline.verify import Verification

_SHOWN_MAX = 20


def verify(
    brokers: Brokers = None,
    prefix: Prefix = None,
    twice: Annotated[bool, typer.Option("--twice", help="Compute everything twice and compare the hashes.")] = False,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Folder of checkpoints, one folder per prefix: start at its last one and add a new one."),
    ] = None,
    stores: Annotated[
        Path | None,
        typer.Option(help="Folder with the state of workers that are stopped: compare it with the topics, too."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute all results again from the journal and compare them with the topics; exit code 1 if they differ."""
    from state.codec import NewerState
    from state.store import StateUnreadable
    from streams.offline.checkpoints import Checkpoints, UnfitCheckpoint
    from streams.operations.folded_journal import NotStill, hashes_of, verify_prefix
    from streams.operations.local_stores import LocalStores, NoStores

    if twice and checkpoints is not None:
        fail("--twice and --checkpoints are both given: use only one, as --twice reads the whole journal")
    expected = (NotStill, NewerState, UnfitCheckpoint, NoStores, StateUnreadable)
    reading = console(stderr=True).status("reading the journal")
    with opened_prefix(brokers, prefix, *expected) as opened, reading as status:
        count = opened.domain.journal_partitions
        kept = None if checkpoints is None else Checkpoints(checkpoints)
        local = None if stores is None else LocalStores(opened, stores)
        found = verify_prefix(opened, lambda done: status.update(f"read partition {done + 1} of {count}"), kept, local)
        again = hashes_of(opened) if twice else None
    if as_json:
        echo_json({"verification": found, "folded_again": again})
    else:
        _print(found, again)
    if not found.holds or again not in (None, found.folded):
        raise typer.Exit(1)


def _print(found: Verification, again: dict[str, str] | None) -> None:
    typer.echo(f"{'topic':<10}{'records':>9}{'differ':>8}  sha256 of the records computed again")
    for topic, digest in found.folded.items():
        same = "" if again is None else "  second time: the same" if again[topic] == digest else f"  {again[topic]}"
        typer.echo(f"{topic:<10}{found.records[topic]:>9}{found.different[topic]:>8}  {digest}{same}")
    for topic, count in sorted(found.reworded.items()):
        typer.echo(f"{topic}: {count} reasons are worded as another release worded them")
    for each in found.differences[:_SHOWN_MAX]:
        typer.echo(plain(f"{each.topic}-{each.partition} {each.key} #{each.position}"))
        typer.echo(f"  computed: {plain(str(each.folded))}\n  in topic: {plain(str(each.held))}")
    for store in found.stores:
        verdict = f"{store.different} keys differ, {store.untimed} timers are missing"
        shown = f": {', '.join(store.examples)}" if store.examples else ""
        typer.echo(f"{store.path} ({store.topic}-{store.partition}, {store.keys} keys): {verdict}{shown}")
    total = sum(found.different.values())
    if total > _SHOWN_MAX:
        typer.echo(f"and {total - _SHOWN_MAX} more")
    total += sum(store.different + store.untimed for store in found.stores)
    verdict = "no difference" if found.holds else f"{total} differences"
    typer.echo(f"{found.journal} records of the journal read: {verdict}")
