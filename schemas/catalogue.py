"""Every type of record: its schema file, parsed schema and struct."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas import insights, journal, outputs, touchpoint

AVRO_DIR = Path(__file__).parent / "avro"
RELEASED_DIR = Path(__file__).parent / "released"

RECORDS: dict[str, type] = {
    "touchpoint": touchpoint.Touchpoint,
    "mark": touchpoint.Mark,
    "collected_to": journal.CollectedTo,
    "progress": journal.Progress,
    "wake": journal.Wake,
    "time_reset": journal.TimeReset,
    "recall": journal.Recall,
    "hold": journal.Hold,
    "link": journal.Link,
    "unlink": journal.Unlink,
    "absorbed": journal.Absorbed,
    "undo_merge": journal.UndoMerge,
    "address_consent": journal.AddressConsent,
    "address_notice": journal.AddressNotice,
    "order_told": journal.OrderTold,
    "order_owned": journal.OrderOwned,
    "slot_asked": journal.SlotAsked,
    "slot_answered": journal.SlotAnswered,
    "slots_due": journal.SlotsDue,
    "unparked": journal.Unparked,
    "set_aside": journal.SetAside,
    "imported": journal.Imported,
    "landed": journal.Landed,
    "configured": journal.Configured,
    "model_chunk": journal.ModelChunk,
    "model_tick": journal.ModelTick,
    "trigger": outputs.Trigger,
    "revocation": outputs.Revocation,
    "decision": outputs.Decision,
    "credit": outputs.Credit,
    "segment_changed": outputs.SegmentChanged,
    "profile": outputs.ProfileView,
    "profile_merged": outputs.ProfileMerged,
    "profile_divided": outputs.ProfileDivided,
    "dead_letter": outputs.DeadLetter,
    "retried": outputs.Retried,
    "facts": insights.Facts,
    "arrivals": insights.Arrivals,
    "kpi": insights.Kpi,
    "anomaly": insights.Anomaly,
    "model": insights.Model,
}
ITEMS_MAX = {"touchpoint": touchpoint.ITEMS_MAX}
"""Items of an array or a map in a record that anyone may send; others have as many as their bytes hold."""
STRUCTS: dict[str, type] = {
    name: struct
    for module in (touchpoint, journal, outputs, insights)
    for name, struct in vars(module).items()
    if isinstance(struct, type)
}

SINGLE_OBJECT_MARK = b"\xc3\x01"


@cache
def raw_schema(name: str) -> dict[str, Any]:
    """Load the schema file `name`.avsc as it is."""
    loaded: dict[str, Any] = json.loads((AVRO_DIR / f"{name}.avsc").read_text("utf-8"))
    return loaded


def single_object_header(schema: dict[str, Any]) -> bytes:
    """Return 10 bytes: C3 01 and the CRC-64-AVRO of the canonical form, little-endian.

    Avro 1.11, single-object encoding.
    """
    return _header(to_parsing_canonical_form(schema))


@cache
def _header(canonical: str) -> bytes:
    # fastavro computes it byte by byte in Python, and a worker's start asks for each schema several times
    return SINGLE_OBJECT_MARK + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


@cache
def parsed_schema(name: str) -> Any:  # noqa: ANN401 - fastavro's own parsed form
    """Return the schema as fastavro wants it, parsed once."""
    return fastavro.parse_schema(raw_schema(name))


def released_schemas(name: str) -> list[dict[str, Any]]:
    """Load the schemas of earlier releases of this record, whose bytes may still be in topics."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(RELEASED_DIR.glob(f"*/{name}.avsc"))]
