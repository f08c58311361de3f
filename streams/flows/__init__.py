"""Flows: their language, customers' progress in them and the decisions that they make."""
