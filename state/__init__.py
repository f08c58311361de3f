"""State by key: the Store protocol and its adapters."""
