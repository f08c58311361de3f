"""Writes the source of schemas.written for a compiled wheel: `python -m schemas.writing`."""

from __future__ import annotations

from schemas.catalogue import ITEMS_MAX, STRUCTS, raw_schema, single_object_header
from schemas.decoder import written_decoder
from schemas.encoder import written_encoder

OFTEN = (
    "touchpoint",
    "trigger",
    "decision",
    "credit",
    "segment_changed",
    "profile",
    "facts",
    "order_told",
    "order_owned",
)
"""Records that are read or written for every event or order; the others are rare, and a C compiler is slow."""


def written_codecs() -> str:
    """Return the source of a module with `encode_<record>(header, record)` and `decode_<record>(b, p)` of OFTEN."""
    imported = [
        "from typing import Any",
        "from schemas.decoder import Malformed, TooMany, double, length, named, names, tail",
        "from schemas.encoder import SMALL, TEXTS, packed, text, varint",
        *(f"from {struct.__module__} import {name}" for name, struct in STRUCTS.items()),
    ]
    codecs = []
    for name in OFTEN:
        schema = raw_schema(name)
        source, _ = written_decoder(schema, STRUCTS, len(single_object_header(schema)), ITEMS_MAX.get(name))
        codecs += [source, written_encoder(schema)]
    return "\n".join([*imported, *codecs]) + "\n"


if __name__ == "__main__":
    print(written_codecs())  # noqa: T201 - the build takes it from here
