"""Real servers on this machine, and the demonstration that runs on them."""
