"""Folding of a journal without workers: verify, backtest, stories."""
