"""Transactions through a proxy that delivers requests late: nothing may be torn or lost."""
