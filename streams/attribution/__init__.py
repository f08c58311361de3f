"""Which touches get credit for an order, and the ledger of it."""
