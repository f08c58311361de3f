"""Flows: their definition, their progress by customer and the decisions they make."""
