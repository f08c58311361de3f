"""A customer's history in one flow, in sentences made from its decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.units import shown_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schemas.outputs import Decision, Trigger


def flow_story(flow_id: str, decisions: Iterable[Decision], triggers: Iterable[Trigger]) -> tuple[str, ...]:
    """Return a sentence for each decision, in order, and the customer's present place; empty: they were never in it."""
    receipts = [decision for decision in decisions if decision.flow_id == flow_id]
    messages = {(each.flow_version, each.step, each.decided_ms): each for each in triggers if each.flow_id == flow_id}
    said = [
        _sentence(each, messages.get((each.flow_version, each.step, each.time_ms)) if each.outcome == "sent" else None)
        for each in receipts
    ]
    return *said, *_present(receipts)


def _sentence(receipt: Decision, trigger: Trigger | None) -> str:
    said = f"{shown_time(receipt.time_ms)}  v{receipt.flow_version} {_happened(receipt)}. {receipt.reason}"
    if trigger is None:
        return said
    articles = ", ".join(f"{item.quantity} x {item.sku}" for item in trigger.products)
    window = f"By {trigger.channel}, from {shown_time(trigger.due_ms)} to {shown_time(trigger.expires_ms)}"
    return f"{said} {window}{': ' if articles else ''}{articles}."


_HAPPENED = {
    "sent": "{} was sent",
    "deferred": "{} waits",
    "exited": "left before {}",
    "too_old": "did not enter",
    "cold": "did not enter",
    "revoked": "{} was withdrawn",
}


def _happened(receipt: Decision) -> str:
    step, outcome, evidence = receipt.step, receipt.outcome, receipt.evidence
    if outcome == "entered":
        due_ms = evidence.get("due_ms")
        return f"continued with {step}" if due_ms is None else f"entered: {step} is due {shown_time(int(due_ms))}"
    said = _HAPPENED.get(outcome, "{} was not sent: " + outcome.replace("_", " ")).format(step)
    until_ms = evidence.get("quiet_until_ms") if outcome == "deferred" else None
    return said if until_ms is None else f"{said} until {shown_time(int(until_ms))}"


def _present(receipts: list[Decision]) -> Iterator[str]:
    if not receipts:
        return
    final = {receipt.candidate_id for receipt in receipts if receipt.final}
    waiting = [receipt for receipt in receipts if receipt.candidate_id not in final and receipt.outcome != "revoked"]
    outcomes = [receipt.outcome for receipt in receipts]
    sent = outcomes.count("sent") - outcomes.count("revoked")
    where = f"they are waiting for {waiting[-1].step}" if waiting else "they are not in this flow"
    yield f"Messages sent: {sent}; now {where}."
