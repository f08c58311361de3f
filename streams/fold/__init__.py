"""What folding one record does to a customer and to their partition."""
