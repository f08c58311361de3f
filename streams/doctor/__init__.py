"""Looking a prefix and this machine over before something fails: each check says what it saw and what to do."""
