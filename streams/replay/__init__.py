"""From files into topics, and from a journal back into the same results."""
