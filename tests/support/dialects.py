"""Orders written as the column files of people: one mapping and one file for each dialect, all with the same orders."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

ZONE = ZoneInfo("Europe/Berlin")
# the hour from two to three comes twice in this night
BEGIN = datetime(2026, 10, 24, 20, tzinfo=ZONE)
COLUMNS = ("order", "time", "user", "sku", "price", "pieces", "note")
TIMES: dict[str | None, Callable[[datetime], str]] = {
    None: lambda at: at.isoformat(),
    "%d/%m/%Y %H:%M:%S": lambda at: at.strftime("%d/%m/%Y %H:%M:%S"),
    "%Y-%m-%d %H:%M:%S %z": lambda at: at.strftime("%Y-%m-%d %H:%M:%S %z"),
    "epoch_s": lambda at: str(int(at.timestamp())),
    "epoch_ms": lambda at: str(int(at.timestamp()) * 1000),
}
SIGNS = ("{}", "{} EUR", "€{}", "{} €")
MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


@dataclass(frozen=True)
class Line:
    order: str
    time: datetime
    user: str
    sku: str
    price: Decimal
    pieces: Decimal
    note: str

    @property
    def texts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COLUMNS}


@dataclass
class Dialect:
    """How a file is written; the defaults are the plain one."""

    delimiter: str = ","
    encoding: str = "utf-8"
    marked: bool = False
    end: str = "\n"
    decimal: str = "."
    thousands: str = ""
    sign: str = "{}"
    time: str | None = None
    order: str = "by_time"
    fills: bool = False
    is_json: bool = False
    has_header: bool = True
    quotes_all: bool = False
    packed: bool = False
    litter: bool = False
    declared: dict[str, Any] = field(default_factory=dict)


def some_lines(chance: Random, orders: int = 80) -> list[Line]:
    """Lines of orders in the order of time, a few minutes apart; an order's lines are beside each other.

    They end after the hour that comes twice in that night: else nothing would say which of the two is meant.
    """
    lines: list[Line] = []
    at = BEGIN.timestamp()
    for number in range(1, orders + 1):
        at += chance.randrange(60, 900)
        user = f"Jürgen {chance.randrange(20)}"
        time = datetime.fromtimestamp(at, ZONE)
        for _ in range(chance.randrange(1, 5)):
            sku = chance.choice(["mug", "große Tasse", 'd\'Ü; cup, "red"', "tea"])
            # of prices below a thousand, none looks like thousands
            price = Decimal(chance.choice([chance.randrange(1, 90_000), chance.randrange(100_000, 9_000_000)])) / 100
            pieces = Decimal(chance.choice(["1", "2", "12", "1.5", "0.25"]))
            lines.append(Line(f"A-{number}", time, user, sku, price, pieces, f"{chance.randrange(9)} good"))
    return lines


def a_dialect(chance: Random) -> Dialect:
    dialect = Dialect(
        delimiter=chance.choice([",", ";", "\t", "|"]),
        encoding=chance.choice(["utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "mac-roman", "iso-8859-15"]),
        end=chance.choice(["\n", "\r\n", "\r"]),
        decimal=chance.choice([".", ","]),
        sign=chance.choice(SIGNS),
        time=chance.choice(list(TIMES)),
        order=chance.choice(["by_time", "newest_first", "any"]),
        fills=chance.random() < 0.4,
        is_json=chance.random() < 0.3,
        has_header=chance.random() < 0.8,
        quotes_all=chance.random() < 0.3,
        packed=chance.random() < 0.3,
        litter=chance.random() < 0.5,
    )
    dialect.marked = dialect.encoding in MARKS and chance.random() < 0.6
    others = [sign for sign in ("", ".", ",", " ", "'", "\u00a0") if sign != dialect.decimal]
    dialect.thousands = chance.choice(others)
    if dialect.encoding == "latin-1":
        dialect.sign = dialect.sign.replace("€", "EUR")
    if dialect.time == "%d/%m/%Y %H:%M:%S" and dialect.order == "any":
        dialect.time = None  # nothing says which of two equal local times is meant
    if dialect.is_json:
        dialect.fills, dialect.sign, dialect.decimal, dialect.thousands = False, "{}", ".", ""
    dialect.fills = dialect.fills and dialect.order != "any"
    return dialect


def mapping_of(dialect: Dialect, chance: Random) -> str:
    """The YAML text; what need not be said is said by chance."""
    file: dict[str, Any] = {"kind": "csv", "delimiter": dialect.delimiter}
    if not dialect.marked and (dialect.encoding != "utf-8" or chance.random() < 0.5):
        file["encoding"] = dialect.encoding
    if not dialect.has_header:
        file["columns"] = _columns(dialect)
    if (dialect.decimal, dialect.thousands) != (".", "") and chance.random() < 0.5:
        file["decimal"] = dialect.decimal
    if dialect.order == "any":
        file["order"] = "any"
    time: dict[str, Any] = {"column": "time", "zone": ZONE.key}
    if dialect.time is not None:
        time["format"] = dialect.time
    product = {"sku": "sku", "price": "price", "quantity": "pieces"}
    orders: dict[str, Any] = {"group_by": ["order"], "open_ms": 1_000}
    if dialect.fills:
        orders["fill_down"] = ["order", "time", "user", "note"]
    if dialect.is_json:
        file["json_columns"] = ["lines"]
        orders["lines"] = "lines"
        product = {name: f"lines.{column}" for name, column in product.items()}
    return yaml.safe_dump(
        {
            "about": "orders",
            "source": "shop",
            "file": file,
            "time": time,
            "type": {"constant": "order_completed"},
            "fields": {"user_id": "user"},
            "money": {"currency": {"constant": "EUR"}},
            "product": product,
            "properties": {"note": "note"},
            "orders": orders,
        },
        allow_unicode=True,
    )


def write(path: Path, lines: list[Line], dialect: Dialect, chance: Random) -> int:
    """Write the file, and return how many lines it has that are neither blank nor a header."""
    buffer = io.StringIO()
    form: type[csv.Dialect] = csv.unix_dialect if dialect.quotes_all else csv.excel
    writer = csv.writer(buffer, form, delimiter=dialect.delimiter, lineterminator=dialect.end)
    if dialect.has_header:
        writer.writerow(_columns(dialect))
    rows = list(_rows(lines, dialect, chance))
    for row in rows:
        if dialect.litter and chance.random() < 0.2:
            buffer.write(chance.choice(["", dialect.delimiter * 6]) + dialect.end)
        writer.writerow([*row, ""] if dialect.litter and chance.random() < 0.2 else row)
        if dialect.litter and dialect.has_header and chance.random() < 0.1:
            writer.writerow(_columns(dialect))
    text = buffer.getvalue()
    data = (MARKS[dialect.encoding] if dialect.marked else b"") + text.encode(dialect.encoding)
    path.write_bytes(gzip.compress(data) if dialect.packed else data)
    return len(rows)


def _columns(dialect: Dialect) -> list[str]:
    return ["order", "time", "user", "lines", "note"] if dialect.is_json else list(COLUMNS)


def _rows(lines: list[Line], dialect: Dialect, chance: Random) -> Iterator[list[str]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.order, []).append(line)
    ordered = list(groups.values())
    if dialect.order == "newest_first":
        ordered.reverse()
    elif dialect.order == "any":
        chance.shuffle(ordered)
    for group in ordered:
        if dialect.is_json:
            yield _row_with_json(group, dialect)
            continue
        for number, line in enumerate(group):
            row = {
                **line.texts,
                "time": TIMES[dialect.time](line.time),
                "price": dialect.sign.format(_number(line.price, dialect)),
                "pieces": str(line.pieces).replace(".", dialect.decimal),
            }
            if dialect.fills and number:
                row |= {"order": "", "time": "", "user": "", "note": ""}
            yield [str(row[name]) for name in COLUMNS]


def _row_with_json(group: list[Line], dialect: Dialect) -> list[str]:
    first = group[0]
    members = [{"sku": line.sku, "price": float(line.price), "pieces": float(line.pieces)} for line in group]
    return [first.order, TIMES[dialect.time](first.time), first.user, json.dumps(members), first.note]


def _number(value: Decimal, dialect: Dialect) -> str:
    marks = {",": dialect.thousands, ".": dialect.decimal}
    return "".join(marks.get(each, each) for each in f"{value:,.2f}")
