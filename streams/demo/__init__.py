"""The demo, and the real servers on this machine that it runs on."""
