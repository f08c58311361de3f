"""What the commands have in common: options, settings, errors told in one line."""

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
    from streams.settings import WorkerSettings

USAGE = 2
INTERRUPTED = 130

Brokers = Annotated[
    str | None, typer.Option(help="Bootstrap servers of Kafka; else TOUCHSTREAM_BROKERS.", show_default=False)
]
Prefix = Annotated[str | None, typer.Option(help="Prefix of the topics; else TOUCHSTREAM_PREFIX.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of text for people.")]


def fail(message: str) -> NoReturn:
    """Ends with one line on stderr."""
    typer.echo(f"touchstream: {message}", err=True)
    raise typer.Exit(USAGE)


@contextmanager
def errors_in_one_line(*expected: type[Exception]) -> Iterator[None]:
    """Tells expected errors, wrong settings and Kafka's own in one line; what else is raised is a bug."""
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
    """Settings from the environment, with a command's options over them; SettingsError."""
    from streams.settings import parse_worker

    return parse_worker(brokers=brokers, prefix=prefix, **given)


def registry_errors(settings: WorkerSettings) -> tuple[type[Exception], ...]:
    """What a registry may raise; the client of one is imported only where one is named."""
    if not settings.registry_url:
        return ()
    from schemas.wire import RegistryUnusable

    return (RegistryUnusable,)


def ready_settings(brokers: str | None, prefix: str | None, **given: Any) -> WorkerSettings:  # noqa: ANN401 - values of any setting
    """As `worker_settings`, told in one line if they are wrong or no broker answers."""
    with errors_in_one_line():
        settings = worker_settings(brokers, prefix, **given)
    reach(settings)
    return settings


def reach(settings: WorkerSettings) -> None:
    """Returns when a broker has answered; ends with one line otherwise."""
    from streams.operations.brokers import NoBroker, ask_brokers

    with errors_in_one_line(NoBroker):
        ask_brokers(settings)


def echo_json(value: object) -> None:
    """One JSON value, on one line."""
    import msgspec

    typer.echo(msgspec.json.encode(value).decode())


def console(*, stderr: bool = False) -> Console:
    """Where text for people goes."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def loaded(paths: list[Path] | None) -> list[tuple[Path | Traversable, Flow]]:
    """Flow files and what they hold, in order of their names; ends with one line for all that is wrong in them."""
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
            f"{file}: id is {flow.id!r}, which {files[flow.id]} has too; ids must differ"
            for file, flow in found
            if files[flow.id] is not file
        ]
        if wrong:
            raise FlowError("; ".join(wrong))
    return found
