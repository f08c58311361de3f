"""From what producers send to canonical touchpoints, keyed by customer."""
