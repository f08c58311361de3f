"""touchstream dead-letters list, show, retry."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.shared import (
    AsJson,
    Brokers,
    Prefix,
    console,
    echo_json,
    fail,
    opened_prefix,
    plain,
)

if TYPE_CHECKING:
    from streams.operations.dead_letters import Letter, Wanted
    from streams.operations.prefix import Prefix as OpenPrefix
    from streams.operations.retry_dead_letters import Retries

_KEY_SHOWN_MAX = 80
"""Characters of a key in the table, which breaks lines in more time than the length takes."""

_NOTE = "addresses are hashes and phone numbers [phone]; --plain or --bytes shows them"
"""What `show` says where it hides them."""

dead_letters = typer.Typer(
    help="List records that could not be used, see why, and send them through again.", no_args_is_help=True
)

Reason = Annotated[str | None, typer.Option(help="Only dead letters with this reason.")]
Stage = Annotated[str | None, typer.Option(help="Only those from this stage: collect, fold, insights or replay.")]
Since = Annotated[str | None, typer.Option(help="Only those at most this old, such as 90m, 24h or 7d.")]


@dead_letters.command("list")
def list_letters(
    brokers: Brokers = None,
    prefix: Prefix = None,
    reason: Reason = None,
    stage: Stage = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show, newest last.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first, with the time of those that were retried."""
    from streams.operations.dead_letters import read_letters

    wanted = _wanted((), reason, stage, since)
    with opened_prefix(brokers, prefix) as opened:
        count, shown = 0, deque[dict[str, Any]](maxlen=limit)
        for letter in read_letters(opened, wanted):
            count += 1
            shown.append(_row(letter))
    if as_json:
        echo_json({"letters": list(shown), "found": count})
        return
    _print_table(list(shown))
    typer.echo(f"{count} dead letters" + (f"; only the newest {limit} are shown" if count > limit else ""))


@dead_letters.command()
def show(
    position: Annotated[int, typer.Argument(min=0, help="Position of the dead letter, as `list` shows it.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_it_came: Annotated[
        bool, typer.Option("--plain", "--bytes", help="Show it as it came, with e-mail addresses and phone numbers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter in full: its record, where it came from, and why it could not be used.

    Addresses are shown as their hashes and phone numbers as [phone], unless --plain is given.
    """
    from streams.operations.dead_letters import Wanted, read_letters

    with opened_prefix(brokers, prefix) as opened:
        letter = next(read_letters(opened, Wanted(frozenset({position}))), None)
        if letter is None:
            fail(
                f"position {position}: prefix {opened.settings.prefix} has no such dead letter; see `dead-letters list`"
            )
        fields = _fields(letter, opened, is_plain=as_it_came)
    if as_json:
        echo_json(fields)
        return
    for name, value in fields.items():
        console().print(f"{name:<9} {_shown(value)}", markup=False, soft_wrap=True)


@dead_letters.command()
def retry(
    positions: Annotated[
        list[int] | None, typer.Argument(help="Positions, as `list` shows them; or choose with the options.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    reason: Reason = None,
    stage: Stage = None,
    since: Since = None,
    every: Annotated[bool, typer.Option("--all", help="All that have not been retried yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send records back to where they came from, each once. Run it again after a crash; none is sent twice."""
    from streams.operations.retry_dead_letters import retry as bring_back

    if not (positions or reason or stage or since or every):
        fail("which dead letters? Give positions, --reason, --stage, --since, or --all")
    wanted = _wanted(positions or (), reason, stage, since)
    with opened_prefix(brokers, prefix) as opened:
        done = bring_back(opened, wanted)
    missing = len(wanted.positions) - done.found
    if positions and not (reason or stage or since) and missing:
        fail(f"{missing} of the positions hold no dead letter; {_summary(done)}")
    if as_json:
        echo_json(done)
        return
    for refusal in done.refused:
        typer.echo(f"{refusal.position} cannot be retried: {refusal.reason}")
    typer.echo(_summary(done))


def _wanted(positions: Any, reason: str | None, stage: str | None, since: str | None) -> Wanted:  # noqa: ANN401 - of ints
    import time

    from streams.flows.language.durations import parse_duration
    from streams.operations.dead_letters import Wanted

    since_ms = 0
    if since is not None:
        try:
            since_ms = int(time.time() * 1000) - parse_duration(since)
        except ValueError as error:
            fail(f"--since {since!r}: {error}")
    return Wanted(frozenset(positions), reason, stage, since_ms)


def _row(letter: Letter) -> dict[str, Any]:
    from streams.collect.hiding import masked

    return {
        "position": letter.position,
        "time_ms": letter.time_ms,
        "stage": letter.held.stage,
        "reason": letter.held.reason,
        "source": letter.source,
        "key": masked(_key(letter)),
        "retried_ms": letter.retried_ms,
    }


def _fields(letter: Letter, opened: OpenPrefix, *, is_plain: bool) -> dict[str, Any]:
    """Return what `show` says of a letter; without addresses and phone numbers unless it is to be plain."""
    import msgspec

    from schemas.wire import WireError

    held = letter.held
    read, hexed = (_text, bytes.hex) if is_plain else (_masked_text, _masked_bytes)
    fields: dict[str, Any] = {
        **_row(letter),
        "key": _key(letter),
        "headers": {name: hexed(value) for name, value in held.headers.items()},
        "record": None,
        "bytes": None,
        "detail": held.detail,
    }
    try:
        record = opened.wire.decode(held.value or b"")
        fields["record"] = {type(record).__name__: msgspec.to_builtins(record)}
    except WireError:
        if held.value is not None:
            fields["bytes"] = read(held.value)
    return fields if is_plain else {**_masked(fields), "note": _NOTE}


def _key(letter: Letter) -> str:
    return (letter.held.key or b"").decode(errors="backslashreplace")


def _masked(value: Any) -> Any:  # noqa: ANN401 - of what JSON can say
    from streams.collect.hiding import masked

    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(str(name)): _masked(each) for name, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value


def _masked_text(value: bytes) -> str:
    """Return readable text without addresses and phone numbers, or hex digits as `_masked_bytes`."""
    text = _text(value)
    return _masked_bytes(value) if text == value.hex() else text


def _masked_bytes(value: bytes) -> str:
    """Return hex digits, unless they would tell an address or a phone number to anybody who reads them."""
    from streams.collect.hiding import masked

    text = value.decode("latin-1")
    return value.hex() if masked(text) == text else f"{len(value)} bytes; --plain or --bytes shows them"


def _text(value: bytes) -> str:
    """Return readable text, or hex digits where the bytes are none."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.replace("\n", "").replace("\t", "").isprintable() else value.hex()


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from schemas.units import shown_time

    table = Table(box=None, pad_edge=False)
    for heading in ("position", "time", "stage", "reason", "source", "key", "retried"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        times = shown_time(row["time_ms"]), "" if row["retried_ms"] is None else shown_time(row["retried_ms"])
        cells = (str(row["position"]), times[0], row["stage"], row["reason"], row["source"], row["key"], times[1])
        table.add_row(*[Text(plain(cell, _KEY_SHOWN_MAX)) for cell in cells])
    console().print(table)


def _shown(value: object) -> str:
    import msgspec

    if value is None:
        return "-"
    if isinstance(value, str):
        lines = [plain(line) for line in value.split("\n")]
        return lines[0] if len(lines) == 1 else "\n".join(["", *lines])
    return msgspec.json.encode(value).decode()


def _summary(done: Retries) -> str:
    brought = ", ".join(f"{count} to {topic}" for topic, count in done.brought_back.items()) or "none"
    return f"retried: {brought}; already retried before: {done.before}; cannot be retried: {len(done.refused)}"
