"""Pages of the worker over HTTP: health, metrics, profiles."""
