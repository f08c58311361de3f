"""The yardstick job of TOUCHPOINT_BENCH on the engine: input, output and way of measuring are the peers'."""
