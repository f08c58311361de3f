"""What the worker answers over HTTP: its health, a profile, an explanation."""
