"""The demo's results: their accounts, a table and a report."""
