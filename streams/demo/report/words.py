"""Words that a marketer knows for names in the topics: outcomes of decisions, KPIs and anomalies."""

from __future__ import annotations

from streams.insights.inputs import KPI as FLOW_INPUTS

OUTCOMES = {
    "sent": "sent",
    "deferred": "postponed",
    "held_out": "control group",
    "capped": "message limit reached",
    "quiet": "quiet hours",
    "suppressed": "customer gets a break",
    "no_consent": "no consent",
    "no_address": "no address",
    "exited": "no longer needed",
    "expired": "too late to send",
    "too_old": "event too old",
    "cold": "shop too young",
    "paused": "flow paused",
    "held_by_silence": "held while data is missing",
    "shadow": "test version",
    "outranked": "another message came first",
    "revoked": "withdrawn",
    "late_withdrawal": "sent before a late withdrawal",
}
KPIS = {
    "orders": "orders",
    "revenue_minor": "revenue",
    "aov_minor": "average order value",
    "conversion_rate": "conversion rate",
    "cart_abandonment_rate": "cart abandonment rate",
    "refunds_minor": "refunds",
    "sessions": "sessions",
    "new_customers": "new customers",
    "messages": "messages of a flow",
}
STAGES = {"collect": "refused on arrival", "fold": "failed in processing", "insights": "failed in statistics"}
_SIDES = {"low": "lower", "high": "higher"}


def anomaly_words(kpi: str, direction: str) -> str:
    """Return what an anomaly means, such as `orders lower than expected`."""
    if kpi == FLOW_INPUTS:
        return "data that a flow needs stopped arriving"
    return f"{KPIS.get(kpi, kpi)} {_SIDES.get(direction, direction)} than expected"
