"""Replay of files into the topics of a prefix whose time the replay sets."""
