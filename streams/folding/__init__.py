"""What folding one record does to a customer and to his partition; streams.fold decides which of it."""
