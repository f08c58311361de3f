"""touchstream topics: made, described, and who may use them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, reach, worker_settings

topics = typer.Typer(help="Make a prefix's topics, and say who needs which rights on them.", no_args_is_help=True)


@topics.command()
def create(
    brokers: Brokers = None,
    prefix: Prefix = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="YAML of the settings that decide; TOUCHSTREAM_DOMAIN_* variables go over it."),
    ] = None,
    flows: Annotated[
        list[Path] | None,
        typer.Option(help="Flow file, or folder of them: all that is to be in force. Else the flows stay as they are."),
    ] = None,
    replication: Annotated[int, typer.Option(help="Copies of each partition; -1: the brokers' default.")] = -1,
) -> None:
    """Make missing topics and publish the settings that decide; may be repeated, and repeated with other settings."""
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
        typer.echo(f"made {name}")
    flow_ids = ", ".join(str(flow["id"]) for flow in created.domain.flows) or "none"
    said = "published" if created.configured else "unchanged"
    typer.echo(f"prefix {worker.prefix}: clock {domain.clock}, settings {said}, flows: {flow_ids}")


@topics.command()
def acls(brokers: Brokers = None, prefix: Prefix = None) -> None:
    """Print, for brokers with an authorizer, what each role must be allowed, as commands of Kafka's own tool."""
    from streams.operations.acls import acls as by_role

    with errors_in_one_line():
        worker = worker_settings(brokers, prefix)
    for role, needed in by_role(worker.prefix).items():
        typer.echo(f"# {role}")
        for each in needed:
            typer.echo(f"kafka-acls.sh --bootstrap-server {worker.brokers} {each.command(f'User:{role}')}")


@topics.command()
def asyncapi() -> None:
    """Print what others write and read as an AsyncAPI document; it is in deploy/asyncapi.yaml too."""
    from streams.operations.asyncapi import document_text

    typer.echo(document_text(), nl=False)
