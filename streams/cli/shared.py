"""Parts that all commands share: options, settings, errors in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.abc import Traversable
    from pathlib import Path

    from rich.console import Console

    from streams.flows.language.flow import Flow
    from streams.operations.prefix import Prefix as OpenPrefix
    from streams.worker_settings import WorkerSettings

USAGE = 2
INTERRUPTED = 130

Brokers = Annotated[
    str | None, typer.Option(help="Addresses of Kafka brokers. Default: TOUCHSTREAM_BROKERS.", show_default=False)
]
Prefix = Annotated[
    str | None, typer.Option(help="Prefix (namespace) of the topics. Default: TOUCHSTREAM_PREFIX.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def fail(message: str) -> NoReturn:
    """End the command with one line on stderr."""
    typer.echo(f"touchstream: {message}", err=True)
    raise typer.Exit(USAGE)


@contextmanager
def errors_in_one_line(*expected: type[Exception]) -> Iterator[None]:
    """Show expected errors, wrong settings and Kafka's own errors in one line; any other exception is a bug."""
    from confluent_kafka import KafkaException

    from streams.settings import SettingsError

    plain: tuple[type[Exception], ...] = (SettingsError, *expected)
    try:
        yield
    except plain as error:
        fail(" ".join(str(error).split()))
    except KafkaException as error:
        fail(f"Kafka: {error.args[0].str()}")


def worker_settings(brokers: str | None, prefix: str | None, **given: Any) -> WorkerSettings:  # noqa: ANN401 - values of any setting
    """Return the settings of the environment, overridden by a command's options; SettingsError."""
    from streams.worker_settings import parse_worker

    return parse_worker(brokers=brokers, prefix=prefix, **given)


def registry_errors(settings: WorkerSettings) -> tuple[type[Exception], ...]:
    """Return what a registry may raise; its client is imported only where a registry is named."""
    if not settings.registry_url:
        return ()
    from schemas.wire import RegistryUnusable

    return (RegistryUnusable,)


def ready_settings(brokers: str | None, prefix: str | None, **given: Any) -> WorkerSettings:  # noqa: ANN401 - values of any setting
    """Return `worker_settings`; end with one line if they are wrong or no broker answers."""
    with errors_in_one_line():
        settings = worker_settings(brokers, prefix, **given)
    reach(settings)
    return settings


def reach(settings: WorkerSettings) -> None:
    """Return when a broker has answered; end with one line if none does."""
    from streams.operations.brokers import NoBroker, ask_brokers

    with errors_in_one_line(NoBroker):
        ask_brokers(settings)


@contextmanager
def opened_prefix(brokers: str | None, prefix: str | None, *expected: type[Exception]) -> Iterator[OpenPrefix]:
    """Give the prefix that a command reads; end with one line if it cannot be opened, or on an expected error."""
    from streams.operations.create import NotCreated
    from streams.operations.prefix import open_prefix

    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(NotCreated, *expected, *registry_errors(settings)):
        yield open_prefix(settings)


def person(given: str | None, option: str) -> str:
    """Return the name that a person gave with an option, or else that of their login; end with one line without one."""
    from getpass import getuser

    try:
        return given or getuser()
    except (KeyError, OSError):
        fail(f"{option} is not given, and this machine has no name for its user: say who wants it")


def echo_json(value: object) -> None:
    """Print one JSON value on one line."""
    import msgspec

    typer.echo(msgspec.json.encode(value).decode())


def plain(text: str, characters_max: int | None = None) -> str:
    """Return a text that anyone may have sent as a terminal can show it: without what moves its cursor or turns lines.

    Of more than `characters_max` characters only the first are shown, with the number of all.
    """
    whole = len(text)
    if characters_max is not None and whole > characters_max:
        text = f"{text[:characters_max]}... ({whole:,} characters)"
    return text if text.isprintable() else "".join([_visible(letter) for letter in text])


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()


def console(*, stderr: bool = False) -> Console:
    """Return the console for text that people read."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def loaded(paths: list[Path] | None) -> list[tuple[Path | Traversable, Flow]]:
    """Return flow files and their flows, by file name; end with one line that names every mistake in them."""
    from streams.flows.language.files import LIBRARY, files_of, load_flow
    from streams.flows.language.mistakes import FlowError

    wanted: list[Path | Traversable] = [*paths] if paths else [LIBRARY]
    found: list[tuple[Path | Traversable, Flow]] = []
    wrong: list[str] = []
    with errors_in_one_line(FlowError):
        for file in files_of(wanted):
            try:
                found.append((file, load_flow(file)))
            except FlowError as error:
                wrong.append(str(error))
        files = {flow.id: file for file, flow in found}
        wrong += [
            f"{file}: id is {flow.id!r}, which {files[flow.id]} also has; give each flow its own id"
            for file, flow in found
            if files[flow.id] is not file
        ]
        if wrong:
            raise FlowError("; ".join(wrong))
    return found
