"""One customer: identity, orders, RFM, segments, consent, cart and touches."""
