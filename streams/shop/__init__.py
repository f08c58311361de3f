"""A simulated shop: its customers, what they do, and its true figures."""
