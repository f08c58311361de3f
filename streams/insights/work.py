"""Work that takes more than one record: its state, under keys of its own until it is done."""

from __future__ import annotations

from math import inf
from typing import TypeAlias

import msgspec

from streams.profiles.scores import CutsModel

WORK = b"work"
SAMPLE = b"work/sample"


def piece_key(number: int) -> bytes:
    return b"work/%d" % number


class Fit(msgspec.Struct, frozen=True, array_like=True):
    """Batch k-means in progress. Centres are float64 of shape (k, features), in the machine's order of bytes."""

    k: int
    left: tuple[bytes, ...]
    """Centres at which the starts begin that are left; the first one is in work."""
    centres: bytes
    """Of the start in work."""
    labels: bytes = b""
    """Of its last round, one byte for each point; empty: it has had none."""
    rounds: int = 0
    best: bytes = b""
    """Of the starts that are done."""
    inertia: float = inf
    """Of the best."""


class Starting(msgspec.Struct, frozen=True, array_like=True, tag="starting"):
    """Clusters that are being started on the rows gathered: k-means with one number of clusters after the other."""

    time_ms: int
    k_max: int
    fit: Fit | None
    """None: all numbers have been tried."""
    best: bytes = b""
    """Centres of the number with the best silhouette so far."""
    silhouette: float = -inf


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """What a tick says of the cuts; they are in force from its end on."""

    version: str | None
    reason: str = ""
    """Why they are as before."""
    model: CutsModel | None = None
    """None: they are as before."""


class Ticking(msgspec.Struct, frozen=True, array_like=True, tag="ticking"):
    """A weekly tick in progress."""

    time_ms: int
    settings: str
    """JSON of those of DomainSettings that decide about it, as they were when it began."""
    share_ppm: int
    """Of the customers that are to give panel rows."""
    features_version: int
    hour_ms: int
    """Next hour whose rows are gathered; the newest is first."""
    first_ms: int
    """The oldest hour."""
    pieces: int = 0
    rows: int = 0
    cuts: Measured | None = None
    """None: not measured yet."""
    is_sampled: bool = False
    """Whether the challenger has its rows."""
    fit: Fit | None = None
    """Of the challenger, if there is one."""


class Piece(msgspec.Struct, frozen=True, array_like=True, tag="piece"):
    """Rows of a panel's hours in the order of learning; those of older hours are in later pieces.

    `columns` are int64 of shape (5, rows), `vectors` the features, float64 of shape (rows, 5).
    """

    columns: bytes
    vectors: bytes


class Sample(msgspec.Struct, frozen=True, array_like=True, tag="sample"):
    """The features of the challenger's rows, float64 of shape (rows, 5)."""

    vectors: bytes


Work: TypeAlias = Starting | Ticking | Piece | Sample
"""All that is stored of it."""
