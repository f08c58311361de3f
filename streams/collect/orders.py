"""Orders and their lines, as JSON documents of e-commerce have them; what is not said is derived or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, NamedTuple

from schemas.limits import LINES_KEPT, LINES_MAX, MINOR_MAX
from schemas.touchpoint import Order, Product
from streams.collect.amounts import exact, kind_of, line_amounts, minor
from streams.collect.nobody import is_nothing
from streams.collect.reading import identifier, text, word
from streams.collect.refused import RefusedRecord

COMPLETED: Final = "order_completed"
REFUNDED: Final = "order_refunded"
_TOTALS: Final = ("total", "revenue", "value", "amount")
"""Where an order's amount may be; the first that has one counts."""
_ONE: Final = Decimal(1)
_NONE: Final = Decimal(0)


class Lines(NamedTuple):
    """The lines of an order or a cart."""

    products: tuple[Product, ...]
    """The first LINES_KEPT that are articles: vouchers and what has no id are left out."""
    left_out: int
    """Articles that are not among them."""
    amount: Decimal | None
    """Sum of price and quantity of all lines, vouchers with it; None: a line has no price, or there is none."""
    off: Decimal
    """What vouchers take off, above 0."""


def lines_of(properties: dict[str, Any], currency: str, path: str = "") -> Lines:
    """Read the lines of a document: its `products`, or the document itself where it is about one article.

    Raises:
        RefusedRecord: a line, or a field of it, is of the wrong kind; the detail has its name.
    """
    listed = properties.get("products")
    if listed is None:
        if all(properties.get(name) in (None, "") for name in ("sku", "product_id")):
            return Lines((), 0, None, _NONE)
        alone = _read([properties], currency, [path])
        if alone.off and not alone.products:
            raise RefusedRecord("amount_out_of_range", f"{path}price or {path}quantity is below 0")
        return alone
    if not isinstance(listed, list):
        raise RefusedRecord("malformed", f"{path}products is {kind_of(listed)}: allowed is a list")
    if len(listed) > LINES_MAX:
        raise RefusedRecord("too_many", f"there are {len(listed)} products; at most {LINES_MAX} are allowed")
    return _read(listed, currency, [f"{path}products[{place}]." for place in range(len(listed))])


def order_of(kind: str, properties: dict[str, Any], currency: str, lines: Lines, path: str = "") -> Order:
    """Read an order, its refund or its cancellation.

    An order without an amount is the sum of its lines, less its discount, with tax and shipping. A refund or a
    cancellation without one, and without lines, takes back the whole order, which is written as 0.

    Raises:
        RefusedRecord: no amount can be known, or a field is wrong; the detail has its name.
    """
    off = _given(properties, "discount", path)
    discount = lines.off if off is None else abs(off)
    return Order(
        order_id=_order_id(properties, path),
        currency=currency,
        total_minor=minor(_total(kind, properties, lines, discount, path), currency, f"{path}total"),
        discount_minor=minor(discount, currency, f"{path}discount"),
        coupon=text(properties.get("coupon"), f"{path}coupon"),
    )


def _order_id(properties: dict[str, Any], path: str) -> str:
    found = identifier(properties.get("order_id", properties.get("orderId")), f"{path}order_id")
    if found is None or is_nothing(found) or found in {"true", "false"}:
        raise RefusedRecord("no_order", f"{path}order_id is missing, or means nothing")
    return found


def _total(kind: str, properties: dict[str, Any], lines: Lines, discount: Decimal, path: str) -> Decimal:
    said = [(name, _given(properties, name, path)) for name in _TOTALS]
    name, total = next(((name, amount) for name, amount in said if amount is not None), ("total", None))
    if kind != COMPLETED:
        return _taken_back(kind, total, lines, properties, path)
    if total is None:
        if lines.amount is None:
            wanted = "total, revenue or value, or a price for each of products"
            raise RefusedRecord("no_amount", f"{path}total is missing: an order needs {wanted}")
        # what vouchers among the lines take off is in their sum already
        off = discount if lines.off == _NONE else max(discount - lines.off, _NONE)
        more = [_given(properties, name, path) or _NONE for name in ("tax", "shipping")]
        total = max(lines.amount - off, _NONE) + more[0] + more[1]
    if total < 0:
        raise RefusedRecord("amount_out_of_range", f"{path}{name} is below 0: allowed is from 0 to {MINOR_MAX}")
    return total


def _taken_back(kind: str, total: Decimal | None, lines: Lines, properties: dict[str, Any], path: str) -> Decimal:
    """Return how much is taken back; 0: all that is left of the order."""
    if total is not None:
        if total == 0 and kind == REFUNDED:
            raise RefusedRecord("no_amount", f"{path}total is 0: leave it out where the whole order is refunded")
        # some shops write what they pay back below 0
        return abs(total)
    if kind != REFUNDED or not properties.get("products"):
        return _NONE
    if lines.amount is None:
        raise RefusedRecord("no_amount", f"{path}total is missing, and not each of products has a price")
    return abs(lines.amount)


def _given(properties: dict[str, Any], name: str, path: str) -> Decimal | None:
    value = properties.get(name)
    return None if value is None or value == "" else exact(value, f"{path}{name}")


def _read(items: list[Any], currency: str, paths: list[str]) -> Lines:
    found: list[Product] = []
    articles, are_priced, amount, off = 0, True, _NONE, _NONE
    for item, path in zip(items, paths, strict=True):
        if not isinstance(item, dict):
            raise RefusedRecord("malformed", f"{path.rstrip('.')} is {kind_of(item)}: allowed is an object")
        price, pieces = _given(item, "price", path), _given(item, "quantity", path)
        are_priced = are_priced and price is not None
        price, pieces = price if price is not None else _NONE, pieces if pieces is not None else _ONE
        paid = price * pieces
        amount += paid
        price_minor, quantity = line_amounts(price, pieces, currency, path.rstrip(".") or "the line")
        if price_minor < 0 or quantity < 0:
            # a voucher, a gift card or what was sent back: it lowers the sum, and is no article
            off += abs(paid)
            continue
        articles += 1
        sku = word(_id_of(item), f"{path}sku")
        if sku is None or len(found) == LINES_KEPT:
            continue
        category = word(item.get("category"), f"{path}category")
        found.append(Product(sku=sku, category=category, price_minor=price_minor, quantity=quantity))
    known = are_priced and bool(items)
    return Lines(tuple(found), articles - len(found), amount if known else None, off)


def _id_of(item: dict[str, Any]) -> Any:  # noqa: ANN401 - of a JSON document
    sku = item.get("sku")
    is_none = sku is None or isinstance(sku, bool) or (isinstance(sku, str) and is_nothing(sku.strip()))
    return item.get("product_id") if is_none else sku
