"""What the demo shows of what came out."""
