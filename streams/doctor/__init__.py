"""Checks of a prefix and this machine, made before something fails: each says what it saw and what to do."""
