"""What every adapter of a protocol must do, and what schemas promise."""
