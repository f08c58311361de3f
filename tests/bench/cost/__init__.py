"""What one touchpoint costs, in instructions: a figure that a busy machine does not change."""
