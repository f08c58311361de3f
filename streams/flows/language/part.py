"""The base of all parts of a flow file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen part of a flow file that refuses unknown fields. Docstrings of fields are their descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def check_bounds(at_least: object, at_most: object) -> None:
    """Raise ValueError if there is no bound, or if no value can meet both."""
    if at_least is None and at_most is None:
        raise ValueError("a condition needs at_least, at_most or both")
    if at_least is not None and at_most is not None and at_least > at_most:  # type: ignore[operator]
        raise ValueError("at_least is above at_most: no value can meet both")
