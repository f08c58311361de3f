"""What a flow does to one customer."""
