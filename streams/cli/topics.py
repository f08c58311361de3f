"""touchstream topics: create them, describe them, and list who needs which rights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, reach, worker_settings

topics = typer.Typer(help="Create a prefix's topics, and list who needs which rights on them.", no_args_is_help=True)


@topics.command()
def create(
    brokers: Brokers = None,
    prefix: Prefix = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="YAML file of the settings that decide. TOUCHSTREAM_DOMAIN_* variables override it."),
    ] = None,
    flows: Annotated[
        list[Path] | None,
        typer.Option(help="Flow files or folders: all flows to publish. Default: published flows stay as they are."),
    ] = None,
    replication: Annotated[int, typer.Option(help="Copies of each partition. -1: as the brokers' default.")] = -1,
) -> None:
    """Create missing topics and publish the settings that decide. Run it again to change settings, or to upgrade.

    A setting that you leave out returns to its default.
    """
    from streams.flows.language.mistakes import FlowError
    from streams.kafka.topics import WrongTopics
    from streams.operations.create import CannotChange, PublishedMeanwhile, create_prefix
    from streams.operations.settings_file import configured, names_flows

    with errors_in_one_line(FlowError, CannotChange, WrongTopics, PublishedMeanwhile):
        worker = worker_settings(brokers, prefix)
        domain = configured(settings, flows or ())
        reach(worker)
        created = create_prefix(worker, domain, replication, keeps_flows=not names_flows(settings, flows or ()))
    for name in created.topics:
        typer.echo(f"created {name}")
    for name in created.altered:
        typer.echo(f"changed the settings of {name}")
    for source in created.named:
        typer.echo(
            f"source {source} has a shop from now on: refunds and repeats of orders that it sent before match nothing"
        )
    flow_ids = ", ".join(str(flow["id"]) for flow in created.domain.flows) or "none"
    said = "published" if created.configured else "unchanged"
    typer.echo(f"prefix {worker.prefix}: clock {domain.clock}, settings {said}, flows: {flow_ids}")


@topics.command()
def acls(brokers: Brokers = None, prefix: Prefix = None) -> None:
    """Print the rights that each role needs, as kafka-acls.sh commands, for brokers that check rights."""
    from streams.operations.acls import acls as by_role

    with errors_in_one_line():
        worker = worker_settings(brokers, prefix)
    for role, needed in by_role(worker.prefix).items():
        typer.echo(f"# {role}")
        for each in needed:
            typer.echo(f"kafka-acls.sh --bootstrap-server {worker.brokers} {each.command(f'User:{role}')}")


@topics.command()
def asyncapi() -> None:
    """Print an AsyncAPI document of the topics that others write and read; deploy/asyncapi.yaml is the same."""
    from streams.operations.asyncapi import document_text

    typer.echo(document_text(), nl=False)
