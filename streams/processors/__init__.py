"""The work behind the three agents: from batches to outputs, around the pure parts."""
