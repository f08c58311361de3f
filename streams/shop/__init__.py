"""A simulated shop: who its customers are, what they do, and what is true of it."""
