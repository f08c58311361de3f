"""The journal folded without workers: verify, backtest, stories."""
