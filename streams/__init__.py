"""What the processor does with customers' touchpoints."""
