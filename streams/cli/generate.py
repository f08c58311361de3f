"""touchstream generate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.shared import fail

if TYPE_CHECKING:
    from streams.shop.parameters import ShopParameters

_OUTAGE_FIELDS = ("day", "hour", "hours", "share")


def generate(
    out: Annotated[Path, typer.Argument(help="File of touchpoints to write. Its name must end in .avro.")],
    seed: Annotated[int | None, typer.Option(help="Seed of chance: the same seed makes the same touchpoints.")] = None,
    days: Annotated[int | None, typer.Option(help="How many days to simulate.")] = None,
    start: Annotated[str | None, typer.Option(help="First day, such as 2025-09-01.")] = None,
    orders_per_hour: Annotated[float | None, typer.Option(help="Average orders in a daytime hour.")] = None,
    customers: Annotated[int | None, typer.Option(help="How many customers the shop has.")] = None,
    outage: Annotated[
        list[str] | None,
        typer.Option(help="Hours of broken tracking, as day:hour:hours:share of orders recorded; or `none`."),
    ] = None,
    other: Annotated[
        list[str] | None, typer.Option("--set", help="Any other parameter of the shop, as name=value.")
    ] = None,
) -> None:
    """Simulate a shop: write its touchpoints to OUT, and the true figures beside it as .truth.json."""
    from schemas.container import SUFFIX
    from streams.replay.files.container import write_container
    from streams.shop.generator import Shop

    if out.suffix != SUFFIX:
        fail(f"{out}: the name must end in {SUFFIX}, so that `touchstream replay` recognises the file")
    given = {"seed": seed, "days": days, "start": start, "orders_per_hour": orders_per_hour, "customers": customers}
    shop = Shop(_parameters({name: value for name, value in given.items() if value is not None}, outage, other or []))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        count = write_container(out, shop.touchpoints())
        truth = out.with_suffix(".truth.json")
        truth.write_bytes(shop.truth.to_json())
    except OSError as error:
        fail(f"{error.filename or out}: cannot be written: {error.strerror}")
    typer.echo(f"{out}: {count} touchpoints; {truth}: the true figures")


def _parameters(given: dict[str, Any], outages: list[str] | None, others: list[str]) -> ShopParameters:
    from pydantic import ValidationError

    from streams.shop.parameters import ShopParameters

    for text in others:
        name, separator, value = text.partition("=")
        if not separator or name not in ShopParameters.model_fields or name == "outages":
            known = ", ".join(each for each in ShopParameters.model_fields if each != "outages")
            fail(f"--set {text!r}: write name=value, with one of these names: {known}")
        given[name] = value
    if outages is not None:
        given["outages"] = [_outage(text) for text in outages if text != "none"]
    elif "days" in given:
        # the default outage comes after the end of a short simulation
        given["outages"] = [each for each in ShopParameters().outages if each.day < int(given["days"])]
    try:
        return ShopParameters.model_validate(given)
    except ValidationError as error:
        fail("; ".join(_explain(item) for item in error.errors()))


def _outage(text: str) -> dict[str, str]:
    return dict(zip(_OUTAGE_FIELDS, text.split(":"), strict=False))


def _explain(item: Any) -> str:  # noqa: ANN401 - pydantic_core.ErrorDetails
    name = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"{name} is {item['input']!r}: {message}" if name else message
